"""Score a trained run on labelled detections; imports torch and sklearn."""
