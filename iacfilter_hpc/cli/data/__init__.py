"""iacfilter-data: the command and its parts, import, check and split.

In: a command line. Out: sample files, reports on stdout. May import: cli and below.
"""
