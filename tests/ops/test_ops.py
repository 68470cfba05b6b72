"""The ops against their published formulas in float64."""

import pytest
import torch
import torch.nn.functional as F

from attn_plugins.ops.instance_enhance import apply_instance_gate, iebn_as_published, instance_gate
from attn_plugins.ops.pool import channel_max_mean, column_mean, global_max, global_mean, row_mean
from attn_plugins.ops.recalibrate import recalibrate


def test_pools_equal_torchs_adaptive_pooling():
    x = torch.randn(2, 3, 5, 7)
    torch.testing.assert_close(global_mean(x)[..., None, None], F.adaptive_avg_pool2d(x, 1))
    torch.testing.assert_close(global_max(x)[..., None, None], F.adaptive_max_pool2d(x, 1))
    torch.testing.assert_close(row_mean(x), F.adaptive_avg_pool2d(x, (5, 1)))
    torch.testing.assert_close(column_mean(x), F.adaptive_avg_pool2d(x, (1, 7)))
    torch.testing.assert_close(
        channel_max_mean(x)[0, :, 2, 3], torch.stack([x[0, :, 2, 3].max(), x[0, :, 2, 3].mean()])
    )


def test_recalibrate_broadcasts_every_form_of_gate():
    x = torch.randn(2, 3, 4, 5)
    channel, row, column = torch.rand(2, 3), torch.rand(2, 3, 4, 1), torch.rand(2, 1, 1, 5)
    expected = torch.einsum('nchw,nc,nch,nw->nchw', x, channel, row[..., 0], column[:, 0, 0])
    channel = channel[:, :, None, None]
    torch.testing.assert_close(recalibrate(x, channel, row, column), expected)
    assert recalibrate(x.half(), channel).dtype == torch.float16


@pytest.mark.parametrize('training', [True, False])
def test_enhancing_a_finished_batch_norm_is_the_published_formula(training):
    """Also its gradients, and the running statistics."""
    torch.manual_seed(0)
    make = dict(dtype=torch.float64)
    tensors = [torch.randn(4, 3, 5, 6, **make), *(torch.randn(3, **make) for _ in range(4))]
    results = []
    for fast in (True, False):
        x, weight, bias, gate_weight, gate_bias = leaves = [t.clone().requires_grad_() for t in tensors]
        mean, var = torch.zeros(3, **make), torch.ones(3, **make)
        if fast:
            normalized = F.batch_norm(x, mean, var, weight, bias, training, 0.1, 1e-5)
            y = apply_instance_gate(normalized, instance_gate(x, gate_weight, gate_bias), bias)
        else:
            y = iebn_as_published(x, weight, bias, gate_weight, gate_bias, mean, var, training, 0.1, 1e-5)
        (y * torch.arange(y.numel(), **make).view_as(y).sin()).sum().backward()
        results.append([y, mean, var, *(leaf.grad for leaf in leaves)])
    for fast, naive in zip(*results, strict=True):
        torch.testing.assert_close(fast, naive, rtol=1e-10, atol=1e-12)
