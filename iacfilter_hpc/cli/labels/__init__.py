"""Labels: commands that ask people or a teacher for labels, and fit a model's verdicts to them.

In: a command line. Out: labels and verdicts in files, a calibration beside a model. May import: cli
and below.
"""
