"""Scanning: a report in GLITCH's form made here, by GLITCH itself or from another tool's SARIF.

In: a folder of scripts, the name of a git revision, a program; or a SARIF log. Out: one report in
GLITCH's CSV form, what GLITCH could not parse, its version. May import: glitch, samples, runs,
errors.
No torch. GLITCH is a program of its own (GPL-3.0), found and started, never a part of this one.
"""
