# No attention: the plain model, the baseline of every comparison.
attention = []
