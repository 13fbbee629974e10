"""Pipeline: what stands around a model, a teacher before it and GLITCH's misses after it.

In: systems and their samples, a CSV file of what GLITCH missed. Out: how much of the teacher its
students keep, and scores of GLITCH and a system as one. May import: comparison's own systems,
statistics and files, evaluation and below.
"""
