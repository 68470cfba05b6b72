"""Widths of the bottlenecks inside layers, refused when they leave nothing."""


def hidden_channels(in_channels: int, reduction: int, minimum: int = 0) -> int:
    """max(minimum, in_channels // reduction), at least one channel.

    Raises:
        ValueError: The reduction leaves no channel; the message says what would work.
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
