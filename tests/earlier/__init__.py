"""Runs that an earlier version has made, and what today's version does with them.

The archives are named after the commit that made them, by make.sh.
"""
