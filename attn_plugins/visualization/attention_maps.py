"""Computes the attention maps of a model's layers from their activations, as attention transfer does.

Zagoruyko and Komodakis, ICLR 2017, arXiv:1612.03928.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from attn_plugins.errors import UserError
from attn_plugins.insertion.locate import InsertionPoints
from attn_plugins.ops.activation_map import activation_map
from attn_plugins.visualization.loaded_model import LoadedModel
from attn_plugins.visualization.network import Network
from attn_plugins.visualization.picture import Picture

# Layers of a model by default: low, mid, high.
LEVELS = 3


@dataclass(frozen=True)
class LayerMaps:
    """Where one layer is active.

    Attributes:
        layer: Its name in the model.
        size: Height and width of its map.
        heats: For each power, (H, W) of the image, from 0 to 1, the map's largest value; NaN where the network sees
            nothing.
    """

    layer: str
    size: tuple[int, int]
    heats: tuple[np.ndarray, ...]


def layers_of_each(
    subjects: Sequence[LoadedModel], named: Sequence[Sequence[str]] | None = None
) -> list[list[str]]:
    """Chooses the layers of each model, equally many for each.

    Args:
        subjects: The models.
        named: Names for all models, or for each in their order; by default the stages that `stage_ends` chooses.

    Raises:
        UserError: The names are for another number of models, a model has no stages, or the models differ in their
            number of layers.
    """
    if named is None:
        layers = [stage_ends(subject) for subject in subjects]
    elif len(named) in (1, len(subjects)):
        layers = [list(named[0 if len(named) == 1 else i]) for i in range(len(subjects))]
    else:
        raise UserError(
            f'--layers is given {len(named)} times for {len(subjects)} '
            f'model{"s" if len(subjects) > 1 else ""}: give it once for all, or once for each in '
            'their order'
        )
    if len({len(names) for names in layers}) > 1:
        each = '; '.join(
            f'{subject.name} {", ".join(names)}' for subject, names in zip(subjects, layers, strict=True)
        )
        raise UserError(
            f'a row is a layer of every model, these have other numbers of layers ({each}): name as many of each with '
            '--layers, once for each model'
        )
    return layers


def stage_ends(subject: LoadedModel) -> list[str]:
    """Names the last modules of a backbone's first, middle and last stage, or of all stages if there are fewer.

    Raises:
        UserError: The model has no backbone with declared stages.
    """
    stages = [
        names[-1]
        for owner, names in InsertionPoints(subject.model).stages
        if owner.split('.')[0] == 'backbone'
    ]
    if not stages:
        raise UserError(
            f'{subject.name} has no backbone whose stages are known: name its layers with --layers'
        )
    spread = np.linspace(0, len(stages) - 1, LEVELS).round().astype(int)
    return [stages[i] for i in dict.fromkeys(spread.tolist())]


@torch.no_grad()
def attention_maps(
    network: Network, picture: Picture, layers: Sequence[str], kind: str = 'sum', powers: Sequence[int] = (2,)
) -> list[LayerMaps]:
    """Computes the attention maps of layers.

    Equation:
        heat = F / max F,  F_hw = sum_c |A_chw|^p, or max_c |A_chw|^p for kind 'max'

    A layer's A is its output as the host reads it: after anything that was inserted behind the layer.

    Args:
        network: The model.
        picture: The image.
        layers: As `Network.tapped` takes them.
        kind: 'sum' or 'max'.
        powers: The p of each map.

    Raises:
        UserError: There is no such layer, or it gives no map.
    """
    found = []
    for layer in layers:
        with network.tapped(layer) as tap:
            network(picture.inputs)
        maps = [activation_map(tap.map, kind, p) for p in powers]
        found.append(
            LayerMaps(layer, tuple(tap.map.shape[2:]), tuple(_on_image(map_, picture) for map_ in maps))
        )
    return found


def _on_image(map_: torch.Tensor, picture: Picture) -> np.ndarray:
    """Scales a map (1, h, w) by its largest value and enlarges it to the image, with its own resolution visible."""
    size = picture.inputs.shape[2:]
    heat = F.interpolate(map_[None], size=size, mode='nearest-exact')[0, 0].numpy()
    largest = heat[picture.region.shown].max()
    return picture.region.spread(heat / largest if largest else heat, picture.pixels.shape[:2])
