"""Comparison: systems side by side on the same samples, with tests, costs and a report.

In: runs, baselines, predictions of others. Out: tables and figures as text, HTML, Markdown and a
document. May import: evaluation and below.
"""
