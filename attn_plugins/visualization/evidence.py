"""Draws where the score of a model's prediction comes from, over the image: ODAM, at a map fine enough to see."""

from dataclasses import dataclass

import cv2
import matplotlib
import numpy as np
import torch

from attn_plugins.visualization.cam import Cam, compute_cam
from attn_plugins.visualization.network import Network, finer_layer
from attn_plugins.visualization.picture import Picture
from attn_plugins.visualization.prediction import Answer, resized
from attn_plugins.visualization.target import Target, choose_target, true_target

# A map with fewer places per side is too coarse to show where.
LEAST_PLACES = 4
COLOURS = 'inferno'
# How much of the colours lies over the image where the map is 0, and where it is 1.
LEAST, MOST = 0.4, 0.8


@dataclass(frozen=True)
class Evidence:
    """A map of one prediction.

    Attributes:
        target: The class or the box whose score it explains.
        cam: The map.
        missed: Name of the true class that it should explain, where the model missed it.
    """

    target: Target
    cam: Cam
    missed: str = ''

    @property
    def explains(self) -> str:
        """In words what is explained, and why, if it is not the same as of other models."""
        missed = f', as {self.missed} is missed' if self.missed else ''
        flat = ', the same everywhere' if self.cam.is_flat else ''
        return f'{self.target.text}{missed}{flat}'

    @property
    def words(self) -> str:
        """In words what is explained, and by which layer."""
        height, width = self.cam.size
        return f'{self.explains}, by {self.cam.layer} of {height} × {width} places'


def find_evidence(network: Network, picture: Picture, true: Answer | None = None) -> Evidence:
    """Computes the map of a prediction: that of the largest true object or class, so that models can be compared.

    Where the model misses it, of a classifier, and where there is no truth, it is the prediction that the model gives
    most: a classifier's class, a segmentor's largest class, a detector's best box.

    Args:
        network: The model.
        picture: The image.
        true: What is true of it.

    Raises:
        UserError: There is no prediction, or the model has no map of places.
    """
    largest = true and true.largest
    right = true_target(network, picture, *largest) if largest else None
    target = right or choose_target(network, picture, threshold=0)
    cam = compute_cam(network, picture, target, 'odam')
    if min(cam.size) < LEAST_PLACES and (finer := finer_layer(network, picture.inputs, LEAST_PLACES)):
        cam = compute_cam(network, picture, target, 'odam', finer)
    return Evidence(target, cam, network.subject.class_name(largest[0]) if largest and not right else '')


def draw_evidence(evidence: Evidence, pixels: np.ndarray) -> np.ndarray:
    """Draws the map over the grey image, in the size of pictures, (h, w, 3); what the network does not see is dark."""
    image = resized(pixels)
    height, width = image.shape[:2]
    grey = np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    heat = cv2.resize(np.float32(np.nan_to_num(evidence.cam.heat)), (width, height))
    colours = matplotlib.colormaps[COLOURS](heat)[..., :3] * 255
    share = (LEAST + (MOST - LEAST) * heat)[..., None]
    drawn = np.uint8((1 - share) * grey + share * colours)
    if evidence.target.box is not None:
        scale = torch.tensor([width / pixels.shape[1], height / pixels.shape[0]]).repeat(2)
        x1, y1, x2, y2 = (evidence.target.box.detach().cpu() * scale).round().int().tolist()
        cv2.rectangle(drawn, (x1, y1), (x2, y2), (255, 255, 255), 2)
    return drawn
