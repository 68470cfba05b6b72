"""Pure tensor functions shared by the layers: layers hold structure and parameters, ops hold arithmetic.

The docstring of each is its formula. Where it is computed in another order, `..._as_published` beside it computes it
as it is written, and `tests/ops` compares values and gradients in float64."""
