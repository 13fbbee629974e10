"""Near contexts: which texts are nearly the same, exactly, among a hundred thousand of them.

In: texts, the samples that each is of. Out: regions of texts that may be alike, masks of those that
are, clusters of them. Standard library alone, as a login node has no numpy. May import: errors.
"""
