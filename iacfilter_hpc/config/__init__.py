"""Configuration: YAML layers, --set and flags, resolved into one frozen RunConfig.

In: files and flags as text. Out: RunConfig, Site, EvaluateOptions, or every error at once with the
key and the place that it came from. May import: runs, errors. No torch.
"""
