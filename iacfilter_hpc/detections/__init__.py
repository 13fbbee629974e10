"""Detections of GLITCH as labelled samples."""
