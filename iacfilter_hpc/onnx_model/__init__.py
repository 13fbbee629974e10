"""ONNX model: a trained encoder in ONNX, scored by onnxruntime and tokenizers, without torch.

In: an exported directory, samples. Out: log-odds of TP, as those of the encoder that was exported
but for rounding. May import: packing, trained_model, inputs, samples, checkpoints, config, runs,
errors. No torch, no transformers.
"""
