"""iacfilter_hpc.detections."""
