"""The controls that a suite's YAML file names: the presets that another one is held against in the report."""

from collections.abc import Collection
from pathlib import Path

from attn_plugins.benchmark.suite_checks import EXAMPLES, check_mapping
from attn_plugins.benchmark.suite_presets import BASELINE
from attn_plugins.errors import UserError
from attn_plugins.registry import nearest
from attn_plugins.training.presets import preset_name


def read_controls(
    value, own: dict, trained: dict[str, list[str]], path: Path
) -> dict[str, dict[str, list[str]]]:
    """Config's key -> preset -> its controls.

    The suite's controls hold for every config, as far as it trains those presets; a config's own stand in their place.

    Args:
        value: The suite's `controls`.
        own: Config's key -> its `controls`, of the configs that have any.
        trained: Config's key -> the names of what it is trained with.
        path: The suite's file.

    Raises:
        UserError: A name is that of no preset there, or cannot be a control.
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
    checked = {}
    for preset, controls in check_mapping(value, 'controls', where).items():
        words = [preset, *controls] if isinstance(controls, list) else []
        if len(words) < 2 or not all(isinstance(word, str) for word in words):
            raise UserError(
                f"{where}: 'controls' maps a preset to a list of presets, as {EXAMPLES['controls']}, not {preset}: {controls!r}"
            )
        words = [preset_name(word) for word in words]
        for i, word in enumerate(words):
            if word == BASELINE:
                raise UserError(
                    f"{where}: 'controls' names {BASELINE}, which everything is compared with anyway: leave it out"
                )
            if word not in names:
                raise UserError(
                    f"{where}: 'controls' names '{word}', which is no preset there: {nearest(word, set(names) - {BASELINE})}"
                )
            if word in words[:i]:
                raise UserError(
                    f"{where}: 'controls' of {words[0]} names '{word}' twice, or as its own control"
                )
        checked[words[0]] = words[1:]
    return checked
