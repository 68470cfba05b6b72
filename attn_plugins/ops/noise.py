"""Noise on normalised values, put into a finished batch norm: the attack of the IEBN paper (arXiv:1908.04008)."""

from torch import Tensor


def add_noise(normalized: Tensor, na: float, nb: float, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """weight * (na * x_hat + nb) + bias, computed from the finished h = weight * x_hat + bias.

    It is one scale and shift per channel, na * h + (weight * nb + bias * (1 - na)), so any batch norm (SyncBN, frozen,
    evaluating) can have computed h.

    Args:
        normalized (Tensor): h, the batch norm's output, (N, C, H, W).
        na (float): The factor on x_hat.
        nb (float): The summand on x_hat.
        weight (Tensor, optional): The batch norm's weight, (C,); None for a batch norm without affine.
        bias (Tensor, optional): The batch norm's bias, (C,).

    Returns:
        Tensor: Shape and dtype of `normalized`.
    """
    if weight is None:
        return normalized * na + nb
    shift = weight * nb + bias * (1 - na)
    return normalized * na + shift[:, None, None].to(normalized.dtype)


def add_noise_as_published(
    x_hat: Tensor, na: float, nb: float, weight: Tensor | None, bias: Tensor | None
) -> Tensor:
    """weight * (na * x_hat + nb) + bias, on the values before weight and bias."""
    noisy = na * x_hat + nb
    return noisy if weight is None else weight[:, None, None] * noisy + bias[:, None, None]
