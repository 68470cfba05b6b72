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
        self.register_forward_pre_hook(check_map, with_kwargs=True)


def check_map(layer: nn.Module, inputs: tuple, keywords: dict) -> None:
    """Refuses a map of another rank or of other channels than the layer was built for.

    A forward pre-hook, registered `with_kwargs=True` so that it sees `layer(x=...)` too: a plain function, so that deep
    copies, pickles, graphs and traces take it along. A call without a map is left to `forward`, which says what it lacks.

    Args:
        layer (nn.Module): A `Layer`, or a norm layer with `num_features`.
        inputs (tuple): Of the call, the map first.
        keywords (dict): Of the call, the map as `x` if it is not among `inputs`.

    Raises:
        ValueError: The message quotes the map's shape and says what would work.
    """
    x = inputs[0] if inputs else keywords.get('x')
    # In a trace sizes are tensors, and torch.fx hands over a stand-in without any.
    if torch.jit.is_tracing() or not isinstance(x, torch.Tensor):
        return
    name, shape = type(layer).__name__, tuple(x.shape)
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
