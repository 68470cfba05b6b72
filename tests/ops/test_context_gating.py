"""The attended mean of a map."""

import torch

from attn_plugins.ops.context_gating import attention_pool
from tests.ops.compare import random


def test_every_place_has_its_weight_in_every_channel():
    x, logits = random(2, 3, 4, 5), random(2, 1, 4, 5)
    weights = logits.exp() / logits.exp().sum((2, 3), keepdim=True)
    torch.testing.assert_close(attention_pool(x, logits), (x * weights).sum((2, 3)))
