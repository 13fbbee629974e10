"""Labelling functions: rules that vote TP, FP or abstain on a sample, and a model of their votes.

In: samples, functions of a YAML file or of other packages. Out: votes, and labels with the chance
that each is right. May import: samples, runs, errors. No torch, no numpy.
"""
