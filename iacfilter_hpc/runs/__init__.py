"""Runs: the directories models/<approach>/<run>, their files and their records.

In: paths, and what a process has to say of a run. Out: records, read and written whole or not at
all. May import: errors.
"""
