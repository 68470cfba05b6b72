"""The perceptual losses of style transfer (Johnson et al., ECCV 2016, arXiv:1603.08155): content, style, total
variation.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from projects.iebn.style_transfer.features import VGGFeatures

STYLE_LAYERS = ('relu1_2', 'relu2_2', 'relu3_3', 'relu4_3')
CONTENT_LAYERS = ('relu2_2', 'relu3_3')


class Weights(NamedTuple):
    """What each loss counts in the total."""

    content: float
    style: float
    tv: float


class Losses(NamedTuple):
    """The three losses as they are, and their weighted sum."""

    content: Tensor
    style: Tensor
    tv: Tensor
    total: Tensor


def gram(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C, C), the Gram matrix of the channels, G_ij = sum_hw(x_i x_j) / (C H W)."""
    flat = x.flatten(2)
    return flat @ flat.mT / flat[0].numel()


def total_variation(image: Tensor) -> Tensor:
    """(N, C, H, W) -> (), the squared differences of neighbours, down and across, summed and divided by N C H W."""
    down, across = image.diff(dim=-2), image.diff(dim=-1)
    return (down.square().sum() + across.square().sum()) / image.numel()


class PerceptualLoss:
    """How far a stylised image is from the content of one image and the style of another.

    Equation:
        total = a content + b style + c tv
        content = mean((F(y) - F(x))^2)
        style = mean_n(sum over layers of sum_ij((G_ij(y_n) - G_ij(s))^2))

    F is the map at the content layer, G the Gram matrix of the map at a style layer, x the image, y its stylised form
    and s the style image.

    Args:
        features (VGGFeatures): The loss network.
        style (Tensor): The style image, (1, 3, H, W), 0 to 1.
        weights (Weights): a, b and c.
        content_layer (str): The authors' code has relu3_3, pytorch/examples relu2_2.
    """

    def __init__(
        self, features: VGGFeatures, style: Tensor, weights: Weights, content_layer: str = 'relu3_3'
    ):
        self.features, self.weights, self.content_layer = features, weights, content_layer
        with torch.no_grad():
            maps = features(style)
        self.targets = {name: gram(maps[name]) for name in STYLE_LAYERS}

    def __call__(self, y: Tensor, x: Tensor) -> Losses:
        """Stylised images and the images they were made of, both (N, 3, H, W), 0 to 1."""
        with torch.no_grad():
            wanted = self.features(x, last=self.content_layer)[self.content_layer]
        maps = self.features(y)
        content = (maps[self.content_layer] - wanted).square().mean()
        style = sum((gram(maps[name]) - target).square().sum() for name, target in self.targets.items())
        style = style / len(y)
        tv = total_variation(y)
        total = sum(w * loss for w, loss in zip(self.weights, (content, style, tv), strict=True))
        return Losses(content, style, tv, total)
