"""Reads the controls and comparisons of a suite: what each preset is compared with, and which pairs get a verdict."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from attn_plugins.benchmark.suite_checks import EXAMPLES, check_mapping
from attn_plugins.benchmark.suite_presets import BASELINE
from attn_plugins.errors import UserError
from attn_plugins.registry import nearest
from attn_plugins.training.presets import preset_name

# A preset, and what is subtracted from it.
Pair = tuple[str, str]


def read_controls(value, own: Mapping, trained: Mapping[str, Sequence[str]], path: Path) -> dict[str, dict]:
    """Read the presets that others are compared with beside `none`: config's key -> preset -> its controls.

    The suite's controls hold for every config, as far as it trains those presets; a config's own replace them.

    Args:
        value: The suite's `controls`.
        own: Config's key -> its `controls`, of the configs that have any.
        trained: Config's key -> the names of what it is trained with.
        path: The suite's file.

    Raises:
        UserError: The config trains no preset of that name, or it cannot be a control.
    """
    every = {name for names in trained.values() for name in names}
    of_suite = _check_controls(value, every, f'suite {path}')
    controls = {}
    for key, names in trained.items():
        if key in own:
            controls[key] = _check_controls(own[key], names, f"suite {path}, config '{key}'")
        else:
            there = {preset: [name for name in of_suite[preset] if name in names] for preset in of_suite}
            controls[key] = {preset: held for preset, held in there.items() if held and preset in names}
    return controls


def _check_controls(value, names: Collection[str], where: str) -> dict[str, list[str]]:
    """Check that each key and each control is a preset that is trained, and no control stands twice."""
    checked, start = {}, f"{where}: 'controls'"
    for preset, controls in check_mapping(value, 'controls', where).items():
        words = [preset, *controls] if isinstance(controls, list) else []
        if len(words) < 2 or not all(isinstance(word, str) for word in words):
            raise UserError(
                f'{start} maps a preset to a list of presets, as {EXAMPLES["controls"]}, not {preset}: {controls!r}'
            )
        words = [preset_name(word) for word in words]
        for i, word in enumerate(words):
            if word == BASELINE:
                raise UserError(
                    f'{start} names {BASELINE}, which everything is compared with anyway: leave it out'
                )
            if word not in names:
                choices = set(names) - {BASELINE}
                raise UserError(f"{start} names '{word}', which is no preset there: {nearest(word, choices)}")
            if word in words[:i]:
                raise UserError(f"{start} of {words[0]} names '{word}' twice, or as its own control")
        checked[words[0]] = words[1:]
    return checked


def all_pairs(presets: Sequence[str], controls: Mapping[str, Sequence[str]]) -> list[Pair]:
    """List what a config's presets are compared with: the plain model, then their controls."""
    plain = [(name, BASELINE) for name in presets if name != BASELINE and BASELINE in presets]
    return plain + [(name, control) for name, others in controls.items() for control in others]


def read_comparisons(
    value, own: Mapping, trained: Mapping[str, Sequence[str]], controls: Mapping[str, Mapping], path: Path
) -> dict[str, list[Pair]]:
    """Read the comparisons of each config, by its key: those that are declared, else all.

    The suite's hold for every config that trains both presets; a config's own replace them.

    Args:
        value: The suite's `comparisons`, None where it has none.
        own: Config's key -> its `comparisons`, of the configs that have any.
        trained: Config's key -> the names of what it is trained with.
        controls: Config's key -> preset -> its controls.
        path: The suite's file.

    Raises:
        UserError: No preset there has that name, or a comparison compares nothing or stands twice.
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
    start, names = f"{where}: 'comparisons'", {name for names in trained for name in names}
    if not isinstance(value, list) or not value:
        raise UserError(f'{start} must be a list like {EXAMPLES["comparisons"]}, not {value!r}')
    pairs: list[Pair] = []
    for entry in value:
        words = [entry, BASELINE] if isinstance(entry, str) else entry
        if not isinstance(words, list) or len(words) != 2 or not all(isinstance(word, str) for word in words):
            raise UserError(
                f'{start} lists presets and pairs of presets, as {EXAMPLES["comparisons"]}, not {entry!r}'
            )
        first, second = map(preset_name, words)
        for word in (first, second):
            if word not in names:
                raise UserError(f"{start} names '{word}', which is no preset there: {nearest(word, names)}")
        if first == second:
            raise UserError(f'{start} names {first} against itself: name what it is compared with')
        if (first, second) in pairs or (second, first) in pairs:
            raise UserError(f'{start} names {first} against {second} twice: leave one out')
        if not any({first, second} <= set(names) for names in trained):
            raise UserError(
                f'{start} names {first} against {second}, which no config trains both: train both in one'
            )
        pairs.append((first, second))
    return pairs
