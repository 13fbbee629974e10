"""GLITCH: its reports read, turned into samples, and given back filtered as CSV and SARIF.

In: a report as bytes, the scripts it is about, human labels. Out: detections, samples, the report's
own rows byte for byte, a SARIF log. May import: samples, runs, errors. No torch.
"""
