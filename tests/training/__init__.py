"""Tests of training: real models, tiny."""
