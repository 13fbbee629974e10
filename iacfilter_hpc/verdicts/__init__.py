"""Verdicts: what people have decided about findings, kept in a repository and known again there.

In: a file of verdicts or a baseline, the scripts as they are now, rows of a report. Out: the rows
that people have decided, those that are new, what is left to label, labelled samples. May import:
glitch, samples, runs, errors. No torch.
"""
