"""The gate on a finished batch norm is the gate on its scale."""

import pytest
import torch
import torch.nn.functional as F

from attn_plugins.ops.instance_enhance import apply_instance_gate, iebn_as_published, instance_gate
from tests.ops.compare import random


@pytest.mark.parametrize('training', [True, False])
def test_enhancing_a_finished_batch_norm_is_the_published_formula(training):
    """Also its gradients, and the running statistics."""
    tensors = [random(4, 3, 5, 6), *(random(3) for _ in range(4))]
    results = []
    for fast in (True, False):
        x, weight, bias, gate_weight, gate_bias = leaves = [t.clone().requires_grad_() for t in tensors]
        mean, var = torch.zeros(3).double(), torch.ones(3).double()
        if fast:
            normalized = F.batch_norm(x, mean, var, weight, bias, training, 0.1, 1e-5)
            y = apply_instance_gate(normalized, instance_gate(x, gate_weight, gate_bias), bias)
        else:
            y = iebn_as_published(x, weight, bias, gate_weight, gate_bias, mean, var, training, 0.1, 1e-5)
        (y * torch.arange(y.numel(), dtype=y.dtype).view_as(y).sin()).sum().backward()
        results.append([y, mean, var, *(leaf.grad for leaf in leaves)])
    for fast, published in zip(*results, strict=True):
        torch.testing.assert_close(fast, published, rtol=1e-10, atol=1e-12)
