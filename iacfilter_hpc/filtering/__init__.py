"""Filtering: a GLITCH report less what a trained model takes for false alarms.

In: a report, the scripts it is about, a trained model, a threshold, rules of what is never removed.
Out: each row with its decision and p(TP) or the reason why it stays, as the report's own CSV and as
SARIF, and the account of both. May import: evaluation and below.
"""
