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
from tests.ops.compare import assert_as_published, random, values_and_gradients


def running() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.linspace(-1, 1, 3).double(), torch.linspace(0.5, 2, 3).double()


@pytest.mark.parametrize('training', [True, False])
def test_one_op(training):
    """Also the running statistics."""
    tensors = [3 + random(4, 3, 5, 6), *(random(3) for _ in range(4))]
    ours, theirs, again = running(), running(), running()
    published = partial(iebn_as_published, training=training, momentum=0.1, eps=1e-5)
    assert_as_published(
        partial(fused, EnhancedBatchNorm(*ours, training, 0.1, 1e-5)),
        partial(published, running_mean=theirs[0], running_var=theirs[1]),
        *tensors,
    )
    torch.testing.assert_close(ours, theirs)
    op = EnhancedBatchNorm(*again, training, 0.1, 1e-5)
    expected = values_and_gradients(
        partial(published, running_mean=running()[0], running_var=running()[1]), *tensors
    )
    for ours, theirs in zip(values_and_gradients(op.formula, *tensors), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


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
    op = EnhancedBatchNorm(None, None, True, 0.1, 1e-5)
    parameters = [torch.ones(3), torch.zeros(3), torch.zeros(3), torch.zeros(3)]
    y = fused(op, x, *parameters)
    expected = op.formula(x.double(), *(p.double() for p in parameters))
    torch.testing.assert_close(y.double(), expected, rtol=0, atol=1e-3)
