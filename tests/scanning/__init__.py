"""Tests of scanning: GLITCH found and run, git asked, SARIF turned into a report."""
