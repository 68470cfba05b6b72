"""Counts and measures what a model costs: parameters, multiply-adds, latency, memory; shows it as a tree."""

# What `ForwardPass` leaves out, for those who read its cost; here, as `--help` says it without importing torch.
LEFT_OUT = 'without post-processing (NMS of detections, pasting of masks, class maps)'
