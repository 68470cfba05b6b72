"""Counts and measures what a model costs (parameters, multiply-adds, latency, memory) and shows it as a tree."""

# What `ForwardPass` leaves out, for readers of its cost; defined here, as `--help` prints it without importing torch.
LEFT_OUT = 'without post-processing (NMS of detections, pasting of masks, class maps)'
