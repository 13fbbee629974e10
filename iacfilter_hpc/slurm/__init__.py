"""Slurm: all that knows its commands, its states and its scripts.

In: job ids, options, a template. Out: what squeue and sacct say, jobs submitted, requeued and
cancelled. May import: config, runs, errors.
"""
