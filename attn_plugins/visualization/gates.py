"""Reads the gates of a model's layers for one image: the factors that each layer multiplied its map by."""

from dataclasses import dataclass

import torch
from torch import Tensor

from attn_plugins.gates.watch import Reading, check_used, choose_layers, watch_gates
from attn_plugins.visualization.network import Network

TOLERANCE = 1e-5


@dataclass(frozen=True)
class Gate:
    """What a layer did to its map.

    Attributes:
        layer: Its name in the model.
        type: Its class.
        factor: (C, H, W), by which each value was multiplied (for a norm layer the finished batch norm's); None if a
            layer does something else than multiply.
        change: (H, W), |y - x| / |x| with the norms over the channels; for a norm layer x is the batch norm's output.
    """

    layer: str
    type: str
    factor: Tensor | None
    change: Tensor

    @property
    def kind(self) -> str:
        """'none' for no gate; 'channels', 'places', 'strips' (a factor per row times one per column) or 'values'."""
        if self.factor is None:
            return 'none'
        factor = self.factor.double()
        rows, columns, whole = factor.mean(2, True), factor.mean(1, True), factor.mean((1, 2), True)
        if _equal(factor, whole):
            return 'channels'
        if _equal(factor, factor.mean(0, True)):
            return 'places'
        return 'strips' if _equal(factor * whole, rows * columns) else 'values'


@torch.no_grad()
def read_gates(network: Network, inputs: Tensor, names: list[str] | None = None) -> list[Gate]:
    """Reads the gates of the inserted layers in one pass, in the order of the model's modules.

    A layer is a gate if its output is its input times a factor, and nothing else. A layer that several blocks share is
    read at each of them and numbered.

    Args:
        network: The model.
        inputs: (1, C, h, w).
        names: The layers' names; by default all.

    Raises:
        UserError: The model has no inserted layers, or none of that name.
    """
    layers = choose_layers(network.model, names, network.subject.name)
    found: dict[str, list[Gate]] = {name: [] for name in layers}

    def see(reading: Reading) -> None:
        factor = reading.factor
        factor = None if factor is None else factor.expand(reading.x.shape)[0]
        gate = Gate(reading.layer, reading.type, factor, reading.change()[0])
        found[reading.layer.partition(' ')[0]].append(gate)

    with watch_gates(network.model, layers, see):
        network(inputs)
    check_used(layers, {name for name, gates in found.items() if gates}, network.subject.name)
    return [gate for gates in found.values() for gate in gates]


def _equal(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a, b.expand_as(a), rtol=TOLERANCE, atol=TOLERANCE)
