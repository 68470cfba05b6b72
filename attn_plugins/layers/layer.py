"""What every layer checks of the map that it is given: its rank and its channels."""

import torch
from torch import nn


class Layer(nn.Module):
    """A layer for maps (N, C, H, W).

    Args:
        in_channels (int): C, which every map must have.
    """

    def __init__(self, in_channels: int):
        super().__init__()
        self.in_channels = in_channels
        self.register_forward_pre_hook(check_map)


def check_map(layer: nn.Module, inputs: tuple) -> None:
    """Refuses a map of another rank or of other channels than the layer was built for.

    A forward pre-hook: a plain function, so that deep copies, pickles, graphs and traces take it along.

    Raises:
        ValueError: The message quotes the map's shape and says what would work.
    """
    # In a trace sizes are tensors, and torch.fx hands over a stand-in without any.
    if torch.jit.is_tracing() or not isinstance(inputs[0], torch.Tensor):
        return
    name, shape = type(layer).__name__, tuple(inputs[0].shape)
    option = 'in_channels' if isinstance(layer, Layer) else 'num_features'
    channels = getattr(layer, option)
    if len(shape) != 4:
        raise ValueError(
            f'{name} needs a map (N, C, H, W) with C = {channels}, but is given the shape {shape}'
        )
    if shape[1] != channels:
        raise ValueError(
            f'{name} was built for {channels} channels, but the map {shape} has {shape[1]}: build it with '
            f'{option}={shape[1]}'
        )
