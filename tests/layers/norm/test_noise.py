"""Noise put into a finished batch norm is noise on the values before weight and bias."""

import torch

from attn_plugins.layers.norm.noisy_bn import add_noise, add_noise_as_published
from tests.ops.compare import assert_as_published, random


def test_noise_through_weight_and_bias():
    def fast(x_hat, weight, bias):
        normalized = weight[:, None, None] * x_hat + bias[:, None, None]
        return add_noise(normalized, 0.7, 0.2, weight, bias)

    def published(x_hat, weight, bias):
        return add_noise_as_published(x_hat, 0.7, 0.2, weight, bias)

    assert_as_published(fast, published, random(2, 3, 4, 5), random(3), random(3))


def test_noise_without_weight_and_bias():
    x_hat = random(2, 3, 4, 5)
    torch.testing.assert_close(
        add_noise(x_hat, 0.7, 0.2, None, None), add_noise_as_published(x_hat, 0.7, 0.2, None, None)
    )
