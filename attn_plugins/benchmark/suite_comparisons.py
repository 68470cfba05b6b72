"""The comparisons that a suite's YAML file declares: which differences its report gives a verdict of."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from attn_plugins.benchmark.suite_checks import EXAMPLES
from attn_plugins.benchmark.suite_presets import BASELINE
from attn_plugins.errors import UserError
from attn_plugins.registry import nearest
from attn_plugins.training.presets import preset_name

# A preset, and what is subtracted from it.
Pair = tuple[str, str]


def all_pairs(presets: Sequence[str], controls: Mapping[str, Sequence[str]]) -> list[Pair]:
    """List what a config's presets are compared with: the plain model, then their controls."""
    plain = [(name, BASELINE) for name in presets if name != BASELINE and BASELINE in presets]
    return plain + [(name, control) for name, others in controls.items() for control in others]


def read_comparisons(
    value, own: Mapping, trained: Mapping[str, Sequence[str]], controls: Mapping[str, Mapping], path: Path
) -> dict[str, list[Pair]]:
    """Config's key -> its comparisons: those that are declared, else all.

    The suite's hold for every config that trains both presets; a config's own stand in their place.

    Args:
        value: The suite's `comparisons`, None where it has none.
        own: Config's key -> its `comparisons`, of the configs that have any.
        trained: Config's key -> the names of what it is trained with.
        controls: Config's key -> preset -> its controls.
        path: The suite's file.

    Raises:
        UserError: A name is that of no preset there, or a comparison says nothing or the same as another.
    """
    of_suite = None
    if value is not None:
        of_suite = _check_comparisons(value, list(trained.values()), f'suite {path}')
    comparisons = {}
    for key, names in trained.items():
        if key in own:
            comparisons[key] = _check_comparisons(own[key], [names], f"suite {path}, config '{key}'")
        elif of_suite is None:
            comparisons[key] = all_pairs(names, controls[key])
        else:
            comparisons[key] = [pair for pair in of_suite if set(pair) <= set(names)]
    return comparisons


def _check_comparisons(value, trained: Sequence[Collection[str]], where: str) -> list[Pair]:
    """Check a list of comparisons against the presets that the configs are trained with."""
    where, names = f"{where}: 'comparisons'", {name for names in trained for name in names}
    if not isinstance(value, list) or not value:
        raise UserError(f'{where} must be a list like {EXAMPLES["comparisons"]}, not {value!r}')
    pairs: list[Pair] = []
    for entry in value:
        words = [entry, BASELINE] if isinstance(entry, str) else entry
        if not isinstance(words, list) or len(words) != 2 or not all(isinstance(word, str) for word in words):
            raise UserError(
                f'{where} lists presets and pairs of presets, as {EXAMPLES["comparisons"]}, not {entry!r}'
            )
        first, second = map(preset_name, words)
        for word in (first, second):
            if word not in names:
                raise UserError(f"{where} names '{word}', which is no preset there: {nearest(word, names)}")
        if first == second:
            raise UserError(f'{where} names {first} against itself: name what it is compared with')
        if (first, second) in pairs or (second, first) in pairs:
            raise UserError(f'{where} names {first} against {second} twice: leave one out')
        if not any({first, second} <= set(names) for names in trained):
            raise UserError(
                f'{where} names {first} against {second}, which no config trains both: train both in one'
            )
        pairs.append((first, second))
    return pairs
