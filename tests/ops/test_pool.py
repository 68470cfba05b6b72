"""Plain reductions equal torch's pooling layers."""

import torch
import torch.nn.functional as F

from attn_plugins.ops.pool import global_max, global_mean


def test_pools_equal_torchs_adaptive_pooling():
    x = torch.randn(2, 3, 5, 7)
    torch.testing.assert_close(global_mean(x)[..., None, None], F.adaptive_avg_pool2d(x, 1))
    torch.testing.assert_close(global_max(x)[..., None, None], F.adaptive_max_pool2d(x, 1))


def test_the_first_of_several_maxima_gets_the_gradient():
    """As in torch's max pooling."""
    x = torch.tensor([1.0, 3, 3, 2]).view(1, 1, 2, 2).requires_grad_()
    global_max(x).sum().backward()
    assert x.grad.flatten().tolist() == [0, 1, 0, 0]
    pooled = F.adaptive_max_pool2d(x, 1)
    assert torch.equal(torch.autograd.grad(pooled.sum(), x)[0], x.grad)
