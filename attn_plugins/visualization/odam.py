"""Computes ODAM, a heat map of one detection: gradient times map, pixel by pixel.

Zhao et al., ICLR 2023, arXiv:2304.06354.
"""

import torch
from torch import Tensor

from attn_plugins.errors import UserError
from attn_plugins.visualization.network import Network
from attn_plugins.visualization.target import Target


def odam(network: Network, inputs: Tensor, target: Target, layer: str) -> Tensor:
    """Computes the heat map of a target at a layer.

    Equation:
        H = ReLU(sum_c G_c * A_c),  G = d score / d A

    with the layer's map A and the score of one prediction, through everything between the two, including the network's
    own post-processing. The paper also smooths G over neighbouring places; here G is not smoothed, so that for a
    classifier the map is that of HiResCAM.

    Args:
        network: The model.
        inputs: (1, C, h, w).
        target: What is explained.
        layer: As `Network.tapped` takes it.

    Returns:
        Tensor: (H, W), of the layer's size.

    Raises:
        UserError: No gradient leads from the score to the layer.
    """
    with network.tapped(layer) as tap, torch.enable_grad():
        score = target.value(network(inputs)[0])
        gradient = None
        if score.requires_grad:
            (gradient,) = torch.autograd.grad(score, tap.map, allow_unused=True)
    if not score.requires_grad:
        raise UserError(
            f'{type(network.model).__name__} gives its scores without a gradient, which odam needs: use --method drise'
        )
    if gradient is None:
        return torch.zeros(tap.map.shape[2:])
    return (gradient * tap.map).sum(1)[0].relu().detach()


def strongest_layer(network: Network, inputs: Tensor, target: Target, layers: list[str]) -> str:
    """Finds the layer whose map the target depends on most, by the sum of ODAM's map.

    A box's prior belongs to one level only.
    """
    if len(layers) == 1:
        return layers[0]
    sums = [float(odam(network, inputs, target, layer).sum()) for layer in layers]
    return layers[max(range(len(layers)), key=lambda i: (sums[i], i))]
