# The student alone: the baseline of every comparison.
losses = []
