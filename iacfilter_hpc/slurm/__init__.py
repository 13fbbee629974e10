"""Slurm: its commands, its states, its scripts, and all that knows of them.

In: job ids, options, a template. Out: what squeue and sacct say, jobs submitted, requeued and
cancelled. May import: config, runs, errors.
"""
