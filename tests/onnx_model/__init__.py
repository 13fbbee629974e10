"""Tests of the ONNX model."""
