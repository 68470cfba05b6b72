"""What a model is and costs: parameters, multiply-adds, latency, memory, its inserted layers; and the machine it was measured on."""

# What `ForwardPass` leaves out, for those who read its cost; here, as `--help` says it without importing torch.
LEFT_OUT = 'without post-processing (NMS of detections, pasting of masks, class maps)'
