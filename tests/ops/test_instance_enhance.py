"""Batch norm and gate as one op, and the gate on a finished batch norm, are IEBN as published."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F

from attn_plugins.ops.fused import fused
from attn_plugins.ops.instance_enhance import (
    EnhancedBatchNorm,
    apply_instance_gate,
    iebn_as_published,
    instance_gate,
)
from tests.ops.compare import assert_as_published, random


def running() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.linspace(-1, 1, 3).double(), torch.linspace(0.5, 2, 3).double()


@pytest.mark.parametrize('training', [True, False])
def test_one_op(training):
    """In training also the mean and variance that it gives the running statistics."""
    tensors = [3 + random(4, 3, 5, 6), *(random(3) for _ in range(4))]
    told = []
    op = EnhancedBatchNorm(None if training else running(), 1e-5, lambda *batch: told.append(batch))
    mean, var = running()
    published = partial(
        iebn_as_published, running_mean=mean, running_var=var, training=training, momentum=1, eps=1e-5
    )
    assert_as_published(partial(fused, op), published, *tensors)
    assert_as_published(op.formula, published, *tensors)
    assert len(told) == 1
    if training:
        count = 4 * 5 * 6
        torch.testing.assert_close(told[0], (mean, var * (count - 1) / count))


@pytest.mark.parametrize('training', [True, False])
def test_enhancing_a_finished_batch_norm(training):
    tensors = [random(4, 3, 5, 6), *(random(3) for _ in range(4))]
    mean, var = running()

    def enhanced(x, weight, bias, gate_weight, gate_bias):
        normalized = F.batch_norm(x, *running(), weight, bias, training, 0.1, 1e-5)
        return apply_instance_gate(normalized, instance_gate(x, gate_weight, gate_bias), bias)

    published = partial(iebn_as_published, training=training, momentum=0.1, eps=1e-5)
    assert_as_published(enhanced, partial(published, running_mean=mean, running_var=var), *tensors)


def test_a_large_mean_costs_no_precision():
    """The statistics are taken around the mean: a map of mean 1000 and deviation 1 in float32."""
    x = (1000 + random(4, 3, 16, 16)).float()
    op = EnhancedBatchNorm(None, 1e-5)
    parameters = [torch.ones(3), torch.zeros(3), torch.zeros(3), torch.zeros(3)]
    y = fused(op, x, *parameters)
    expected = op.formula(x.double(), *(p.double() for p in parameters))
    torch.testing.assert_close(y.double(), expected, rtol=0, atol=1e-3)
