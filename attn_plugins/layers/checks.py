"""Checks of options and inputs that several layers share; each error is one sentence that says what would work."""

from torch import Tensor, nn


def hidden_channels(in_channels: int, reduction: int, minimum: int = 0) -> int:
    """Computes the width of a bottleneck: max(minimum, in_channels // reduction).

    Raises:
        ValueError: The reduction leaves no channel.
    """
    if reduction < 1:
        raise ValueError(f'reduction={reduction} must be at least 1')
    hidden = max(minimum, in_channels // reduction)
    if hidden < 1:
        raise ValueError(
            f'reduction={reduction} leaves 0 hidden channels for in_channels={in_channels}: '
            f'choose a reduction of at most {in_channels}'
        )
    return hidden


def check_groups(option: str, groups: int, in_channels: int) -> None:
    """Checks that a number of groups divides the channels.

    Raises:
        ValueError: It does not; the message names the nearest numbers that do.
    """
    if groups >= 1 and in_channels % groups == 0:
        return
    divisors = [n for n in range(1, in_channels + 1) if in_channels % n == 0]
    nearest = sorted(sorted(divisors, key=lambda n: abs(n - groups))[:2])
    raise ValueError(
        f'{option}={groups} does not divide in_channels={in_channels}: try {" or ".join(map(str, nearest))}'
    )


def check_kernel_size(kernel_size: int) -> None:
    """Checks that a kernel has a centre, which means that its size is odd.

    Raises:
        ValueError: It is even, or not positive.
    """
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f'kernel_size={kernel_size} must be odd and positive: try {max(1, kernel_size + 1)}')


def check_batch_size(descriptor: Tensor, norm: nn.Module) -> None:
    """Checks that a batch norm of descriptors is not trained with one sample: it has one value per sample and channel.

    SyncBN takes the samples of all processes together and is not checked.

    Raises:
        ValueError: The batch norm is in training and the batch has one sample.
    """
    # torch.fx passes a proxy without a shape.
    if not isinstance(descriptor, Tensor):
        return
    if norm.training and isinstance(norm, nn.BatchNorm1d) and len(descriptor) == 1:
        raise ValueError(
            f'a batch norm of descriptors cannot be trained with one sample, and is given {tuple(descriptor.shape)}: '
            'train with at least 2 samples per process, or with SyncBN'
        )


def follows_code(variant: str) -> bool:
    """Tells whether `variant` asks for the authors' code ('code') where it differs from their paper ('paper').

    Raises:
        ValueError: It is neither word.
    """
    if variant not in ('code', 'paper'):
        raise ValueError(f"variant={variant!r} must be 'code' or 'paper'")
    return variant == 'code'
