"""Judging: iacfilter-filter and iacfilter-scan, and what they share: flags, the run, the answer.

In: a command line. Out: a filtered report, text or one JSON document, an exit code. May import: cli
and below.
"""
