"""Fine-tune a model on labelled detections; imports torch."""
