"""Computes class activation maps by method name (pytorch-grad-cam's, ODAM, D-RISE) and puts them back on the image."""

from dataclasses import dataclass

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from attn_plugins.errors import UserError
from attn_plugins.registry import nearest
from attn_plugins.visualization.drise import drise
from attn_plugins.visualization.network import Network, backbone_layers
from attn_plugins.visualization.odam import odam, strongest_layer
from attn_plugins.visualization.picture import Picture
from attn_plugins.visualization.target import Target

# Method -> its class in pytorch_grad_cam.
LIBRARY = {
    'gradcam': 'GradCAM',
    'gradcam++': 'GradCAMPlusPlus',
    'layercam': 'LayerCAM',
    'hirescam': 'HiResCAM',
    'xgradcam': 'XGradCAM',
    'eigencam': 'EigenCAM',
    'eigengradcam': 'EigenGradCAM',
    'scorecam': 'ScoreCAM',
    'ablationcam': 'AblationCAM',
}
OWN = {'odam': 'ODAM', 'drise': 'D-RISE'}
METHODS = LIBRARY | OWN
# They run the model on changed images or maps, for which a detector finds other boxes.
PERTURBING = ('scorecam', 'ablationcam')
# They use only the map itself, not how the model uses it.
WITHOUT_TARGET = ('eigencam',)


@dataclass(frozen=True)
class Cam:
    """A class activation map.

    Attributes:
        heat: (H, W) of the image, from 0, the smallest value, to 1, the largest; NaN where the network sees nothing.
        layer: The layer of the map; '' for D-RISE, which uses none.
        size: Height and width of the layer's map.
        is_flat: Whether the map has one value everywhere: the target does not depend on it.
    """

    heat: np.ndarray
    layer: str
    size: tuple[int, int]
    is_flat: bool


def check_method(method: str | None, library: str) -> str:
    """Returns the method that a user names; by default Grad-CAM, for a detector ODAM.

    Raises:
        UserError: There is no such method, or it does not work with a detector, or only with one.
    """
    if method is None:
        return 'odam' if library == 'mmdet' else 'gradcam'
    if method not in METHODS:
        raise UserError(f'there is no method {method!r}: {nearest(method, METHODS)}')
    if library == 'mmdet' and method in PERTURBING:
        raise UserError(
            f'{method} changes the image, and with it the boxes of a detector: use odam, which needs a '
            'gradient, or drise'
        )
    if library != 'mmdet' and method == 'drise':
        raise UserError('drise compares the boxes of detections: use it with a detector, and scorecam here')
    return method


def compute_cam(
    network: Network,
    picture: Picture,
    target: Target,
    method: str,
    layer: str | None = None,
    masks: int = 1000,
    seed: int = 0,
) -> Cam:
    """Computes the class activation map of a target.

    Args:
        network: The model.
        picture: The image.
        target: What is explained.
        method: One of `METHODS`.
        layer: A module's name, followed by [i] for one of several maps. By default, of the maps that the backbone
            returns, the one that the target depends on most (`strongest_layer`).
        masks: The number of D-RISE's masks.
        seed: The seed of D-RISE's masks.
    """
    inputs = picture.inputs
    if method == 'drise':
        heat, size, layer = drise(network, inputs, target, masks, seed).numpy(), tuple(inputs.shape[2:]), ''
    else:
        layer = layer or strongest_layer(network, inputs, target, backbone_layers(network, inputs))
        if method == 'odam':
            heat = odam(network, inputs, target, layer)
            heat, size = _enlarged(heat, inputs), tuple(heat.shape)
        else:
            heat, size = _by_library(network, inputs, target, method, layer)
    shown = heat[picture.region.shown]
    flat = bool(shown.max() == shown.min())
    scaled = np.zeros_like(heat) if flat else (heat - shown.min()) / (shown.max() - shown.min())
    return Cam(picture.region.spread(scaled, picture.pixels.shape[:2]), layer, size, flat)


def _by_library(
    network: Network, inputs: Tensor, target: Target, method: str, layer: str
) -> tuple[np.ndarray, tuple[int, int]]:
    """Computes pytorch-grad-cam's map in the inputs' size; also returns the size of the layer's map."""
    import pytorch_grad_cam  # takes a second to import, and no other method needs it

    tap = network.tap
    with network.tapped(layer):
        cam = getattr(pytorch_grad_cam, LIBRARY[method])(network, [tap])
        try:
            heat = cam(input_tensor=inputs, targets=[target.value])[0]
        finally:
            cam.activations_and_grads.release()
            network.zero_grad()
    return heat, tuple(tap.map.shape[2:])


def _enlarged(heat: Tensor, inputs: Tensor) -> np.ndarray:
    return F.interpolate(heat[None, None], size=inputs.shape[2:], mode='bilinear')[0, 0].cpu().numpy()
