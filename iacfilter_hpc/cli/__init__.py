"""Commands: one module each, and what they share: flags to a frozen request, a call, an answer.

In: a command line. Out: text or one JSON document, an exit code. May import: everything below.

A command imports at its top only what --help needs, and all else in the function that needs it: a
test holds --help, and the commands that watch runs, to importing nothing heavy. What follows the
colon in a command's docstring is also the description that its --help shows.
"""
