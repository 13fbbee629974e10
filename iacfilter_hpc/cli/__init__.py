"""Commands: one module each: flags to a frozen request, a call, an answer on stdout.

In: a command line. Out: text or one JSON document, an exit code. May import: everything below.
"""
