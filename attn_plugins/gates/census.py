"""Measures over data how much a trained model's gates vary: between images, channels, places, and under attacks."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy

import torch
from torch import Tensor, nn

from attn_plugins.gates.gate_statistics import ALL, Decisions, Saturation, Spread
from attn_plugins.gates.watch import Reading, check_used, choose_layers, watch_gates
from attn_plugins.layers.channel.sem import SwitchExcitation
from attn_plugins.registry import EXCITATIONS


class LayerCensus:
    """The statistics of a layer, or of one of the blocks that share it.

    Attributes:
        gate: Whether it multiplied its map in every batch, and did nothing else.
        spread: The spread of its gates.
    """

    def __init__(self, first: Reading):
        self.layer, self.type, self.channels = first.layer, first.type, first.x.shape[1]
        self.gate = True
        self.spread, self.saturation = Spread(), Saturation()
        self.decisions: Decisions | None = None
        self._changes, self._samples = 0.0, 0
        # For each attack: the sums of |g_attacked - g|^2 and |g|^2.
        self._attacks: dict[str, Tensor] = {}

    def add(self, reading: Reading) -> None:
        """Adds what the layer did to a batch."""
        x, y = reading.x.double().flatten(1), reading.y.double().flatten(1)
        smallest = torch.finfo(torch.float64).tiny
        self._changes += float(((y - x).norm(dim=1) / x.norm(dim=1).clamp(min=smallest)).sum())
        self._samples += len(x)
        if reading.factor is None:
            self.gate = False
        elif self.gate:
            factor = _of_batch(reading.factor, len(x))
            self.spread.add(factor, self.channels)
            self.saturation.add(factor)

    def compare(self, attack: str, clean: Reading, attacked: Reading) -> None:
        """Adds what the layer did to the same batch under an attack."""
        if (
            clean.factor is None
            or attacked.factor is None
            or clean.x.shape != attacked.x.shape
            or not len(clean.x)
        ):
            return
        gates = _of_batch(clean.factor, len(clean.x)).double()
        others = _of_batch(attacked.factor, len(clean.x)).double()
        sums = [(others - gates).square().mean((1, 2, 3)).sum(), gates.square().mean((1, 2, 3)).sum()]
        self._attacks[attack] = self._attacks.get(attack, 0) + torch.stack(sums).cpu()

    def result(self) -> dict:
        """Returns all statistics as values for JSON."""
        found = dict(
            layer=self.layer,
            type=self.type,
            channels=self.channels,
            samples=self._samples,
            gate=self.gate,
            relative_change=self._changes / self._samples,
        )
        if self.gate:
            found |= dict(
                mean=float(self.spread.mean.mean()),
                deviations=self.spread.deviations(),
                relative_spread=self.spread.relative(),
                saturated=self.saturation.result(),
                channel_mean=self.spread.mean.tolist(),
                channel_spread=self.spread.of_channels().tolist(),
            )
            found['distance'] = {
                attack: float((of_difference / of_clean).sqrt())
                for attack, (of_difference, of_clean) in self._attacks.items()
            }
        if self.decisions is not None:
            found['decisions'] = self.decisions.result()
        return found


def take_census(
    model: nn.Module,
    batches: Iterable[dict],
    run: Callable[[nn.Module, dict], object] | None = None,
    names: list[str] | None = None,
    attacked: dict[str, nn.Module] | None = None,
    of: str = 'the model',
) -> dict[str, LayerCensus]:
    """Runs data through a model and computes statistics of its inserted layers.

    The distance of an attacked gate from the clean one compares the same gates on the same images,

        d = sqrt(mean_ncp (g_attacked - g)^2 / mean_ncp g^2),

    where a norm layer's g is the factor on the scale of its batch norm.

    Args:
        model: In eval mode.
        batches: As the data loader gives them.
        run: Runs a pass, given the model and a batch; by default the model's own `test_step`.
        names: The layers' names; by default all.
        attacked: Attack -> the same model under it.
        of: What the model is called in messages.

    Returns:
        The layers by name, in the order of the model's modules; a layer that blocks share has an entry for each block.

    Raises:
        UserError: The model has no inserted layers, none of that name, or one that is not used.
    """
    run = run or (lambda model, batch: model.test_step(batch))
    layers = choose_layers(model, names, of)
    others = {attack: (other, _same(layers, other, of)) for attack, other in (attacked or {}).items()}
    found: dict[str, LayerCensus] = {}
    for batch in batches:
        again = [deepcopy(batch) for _ in others]  # detectors write their predictions into it
        classes = _classes(batch)
        clean: dict[str, list[Reading]] = defaultdict(list)

        def see(reading: Reading, decisions: list, classes=classes, clean=clean) -> None:
            if not len(reading.x):  # of a head that was given no proposal
                return
            if others:
                clean[reading.layer].append(reading)
            census = found.setdefault(reading.layer, LayerCensus(reading))
            census.add(reading)
            for excitations, weights in decisions:
                census.decisions = census.decisions or Decisions(excitations)
                census.decisions.add(weights, classes)

        with torch.no_grad():
            with _watch(model, layers, see):
                run(model, batch)
            for (attack, (other, its)), same_batch in zip(others.items(), again, strict=True):
                left = {name: iter(readings) for name, readings in clean.items()}

                def compare(reading: Reading, _, attack=attack, left=left) -> None:
                    same = next(left.get(reading.layer, iter(())), None)
                    if same is not None:
                        found[reading.layer].compare(attack, same, reading)

                with _watch(other, its, compare):
                    run(other, same_batch)
    check_used(layers, {name.partition(' ')[0] for name in found}, of)
    return {key: found[key] for name in layers for key in found if key.partition(' ')[0] == name}


def _same(layers: dict[str, nn.Module], other: nn.Module, of: str) -> dict[str, nn.Module]:
    """Returns the layers of an attacked model that the clean one has too."""
    return {name: layer for name, layer in choose_layers(other, None, of).items() if name in layers}


@contextmanager
def _watch(
    model: nn.Module, layers: dict[str, nn.Module], see: Callable[[Reading, list], None]
) -> Iterator[None]:
    """Reports every call of a layer, with the decisions (names of the excitations, v) that its switch made before."""
    decisions: dict[str, list] = defaultdict(list)
    with ExitStack() as stack:
        for name, layer in layers.items():
            for part in layer.modules():
                if isinstance(part, SwitchExcitation) and part.switch is not None:

                    def decide(_, args, scores, name=name, part=part):
                        decisions[name].append((_names(part), part.decide(scores)))

                    stack.callback(part.switch.register_forward_hook(decide).remove)

        def see_with_decisions(reading: Reading) -> None:
            see(reading, decisions.pop(reading.layer.partition(' ')[0], []))

        stack.enter_context(watch_gates(model, layers, see_with_decisions))
        yield


def _names(switch: SwitchExcitation) -> tuple[str, ...]:
    """Lists the names of a switch's excitations as in configs; several of one kind are numbered."""
    kinds = {kind: name for name, kind in EXCITATIONS.module_dict.items()}
    names = []
    for excitation in switch.excitations:
        name = kinds.get(type(excitation), type(excitation).__name__)
        again = sum(other.partition(' ')[0] == name for other in names)
        names.append(f'{name} #{again + 1}' if again else name)
    return tuple(names)


def _classes(batch: dict) -> list[str]:
    """Returns the class of each image of a batch, if every sample has one label for the whole image."""
    labels = [getattr(sample, 'gt_label', None) for sample in batch.get('data_samples') or ()]
    if any(label is None or label.numel() != 1 for label in labels):
        return [ALL] * len(labels)
    return [str(int(label)) for label in labels]


def _of_batch(factor: Tensor, number: int) -> Tensor:
    """Expands a factor to four axes, the first of them the images'."""
    return factor.reshape((1,) * (4 - factor.dim()) + factor.shape).expand(number, -1, -1, -1)
