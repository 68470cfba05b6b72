"""Whether two runs of one seed started from the same weights, as their pair supposes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from attn_plugins.benchmark.run_folder import START
from attn_plugins.files import read_json

# Of runs of before it was kept.
NOT_ON_RECORD = 'have a start that is not on record'


def unshared(folders: Sequence[tuple[Path, Path]]) -> str:
    """What is not shared of the starts of pairs of runs, in words that follow 'they'; empty if all is.

    What a model lacks, as a convolution that was replaced, is no part of it, and neither are inserted layers.

    Args:
        folders: Those of two runs of one seed each.
    """
    words = [_unshared(*(read_json(folder / START) for folder in pair)) for pair in folders]
    said = [word for word in dict.fromkeys(words) if word]
    return ' and '.join(said)


def _unshared(first: Mapping[str, str] | None, second: Mapping[str, str] | None) -> str:
    """Of one pair, each by its weights' shapes and digests (engine/shared_start.py)."""
    if first is None or second is None:
        return NOT_ON_RECORD
    common = [name for name in first if name in second]
    alike = [name for name in common if first[name] == second[name]]
    if len(alike) == len(common):
        return ''
    if any(first[name].split()[0] != second[name].split()[0] for name in common):
        return f'differ in shape, so {len(alike)} of {len(common)} weights start alike'
    return (
        f'start from other values in {len(common) - len(alike)} of {len(common)} weights: results of another version or machine are mixed '
        'in, or a model above the plugged part draws all its weights in one go'
    )
