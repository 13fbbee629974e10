"""Exporting: a trained model in another form, checked against the one that it was made from.

In: a final/ directory, samples to compare on. Out: a directory that filter and evaluate take: an
adapter merged into its model, or an encoder in ONNX. May import: evaluation and below.
"""
