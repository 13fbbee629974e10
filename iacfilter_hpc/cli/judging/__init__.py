"""Judging: what iacfilter-filter and iacfilter-scan share: their flags, the run, the answer.

In: flags. Out: a request, text or one JSON document, an exit code. May import: cli and below.
"""
