"""Reads the presets of a suite, and their variants, which have a name and config values of their own."""

from dataclasses import dataclass, field
from pathlib import Path

from attn_plugins.benchmark.suite_checks import EXAMPLES, check_keys, check_list, check_options, find_file
from attn_plugins.errors import UserError
from attn_plugins.training.presets import preset_name

# The preset that every other one is compared with.
BASELINE = 'none'
VARIANT_KEYS = ('preset', 'cfg_options')


@dataclass(frozen=True)
class Preset:
    """What a config is trained with.

    Attributes:
        name: What it is called in tables and folders.
        preset: The name of the preset, or the path of its file.
        cfg_options: The config values that a variant sets; none of a preset as it is.
    """

    name: str
    preset: str
    cfg_options: dict = field(default_factory=dict)

    def merged_over(self, options: dict) -> dict:
        """Merge the config's own options and the variant's, which win and come after them."""
        kept = {name: value for name, value in options.items() if name not in self.cfg_options}
        return kept | self.cfg_options


def read_presets(entry: dict, content: dict, options: dict, path: Path, where: str) -> list[Preset]:
    """Read the presets of a config's entry, or the suite's.

    Args:
        entry: What the suite says of the config.
        content: The whole suite.
        options: The config's own single values.
        path: The suite's file.
        where: Words that errors begin with.

    Raises:
        UserError: A file is missing, two presets have one name, or a variant says what no run can be made of.
    """
    presets: dict[str, Preset] = {}
    for value in check_list(entry, content, 'presets', (str, dict), where):
        if isinstance(value, dict):
            preset = _read_variant(value, options, path, where)
        else:
            preset = Preset(preset_name(value), _find_preset(value, path, where))
        if preset.name in presets:
            raise UserError(f'{where}: two presets are called {preset.name}: rename one')
        presets[preset.name] = preset
    return list(presets.values())


def _read_variant(value: dict, options: dict, path: Path, where: str) -> Preset:
    """Read a variant; refuse one that sets a whole of which the config sets single values, which would be lost."""
    if len(value) != 1 or not isinstance(next(iter(value.values())), dict):
        raise UserError(
            f"{where}: a variant in 'presets' is a name and what it is, as {EXAMPLES['variant']}, not {value!r}"
        )
    ((name, variant),) = value.items()
    where = f"{where}, variant '{name}'"
    if not isinstance(name, str) or not name.strip('. ') or '/' in name or name.endswith('.py'):
        raise UserError(f'{where}: its name must be one word, it names a folder and the rows of the report')
    if name == BASELINE:
        raise UserError(
            f'{where}: {BASELINE} is the plain model, which all are compared with: rename the variant'
        )
    check_keys(variant, VARIANT_KEYS, where)
    preset = variant.get('preset', BASELINE)
    if not isinstance(preset, str):
        raise UserError(
            f"{where}: 'preset' must be the name of a preset or the path of its file, not {preset!r}"
        )
    own = check_options(variant.get('cfg_options'), 'cfg_options', where)
    if not own:
        raise UserError(
            f"{where} has no 'cfg_options', by which it differs from {preset}: write {EXAMPLES['variant']}"
        )
    for whole in own:
        for single in options:
            if single.startswith(f'{whole}.'):
                raise UserError(
                    f"{where}: 'cfg_options' sets {whole}, of which the config's own set {single}: give the variant "
                    'single values too'
                )
    return Preset(name, _find_preset(preset, path, where), own)


def _find_preset(preset: str, path: Path, where: str) -> str:
    return str(find_file(preset, path, where, 'preset')) if preset.endswith('.py') else preset
