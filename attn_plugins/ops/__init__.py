"""Pure tensor functions shared by the layers: layers hold structure and parameters, ops hold arithmetic.

The docstring of each op gives its formula. If an op computes it in another order, `..._as_published` beside it computes
the formula as written, and `tests/ops` compares values and gradients of both in float64."""

from attn_plugins.ops import mode as mode
