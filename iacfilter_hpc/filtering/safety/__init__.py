"""Safety: what keeps a row of a report although a model would remove it.

In: a trained model's record of what trained it, rules, a row and its line. Out: the reason why the
row stays, or none. May import: training and below. The guard asks all but `removal`, which looks at
a whole report, and `worthless`, which looks at the model alone.
"""
