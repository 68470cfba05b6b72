"""What the differences of a suite allow to say, in a few sentences."""

from collections.abc import Sequence

from attn_plugins.benchmark.compare import Comparison, Controlled
from attn_plugins.benchmark.statistics import Estimate


def verdict(comparisons: Sequence[Comparison]) -> str:
    """One sentence on the differences to the plain model of each number of seeds, and one per preset that has controls."""
    differences = [
        (f'{comparison.name}/{result.preset}', result.difference)
        for comparison in comparisons
        for result in comparison.presets
        if result.difference
    ]
    sentences = _gains(differences)
    sentences += [
        _against_controls(comparison.name, controlled)
        for comparison in comparisons
        for controlled in comparison.controls
    ]
    return ' '.join(sentences)


def _gains(differences: list[tuple[str, Estimate]]) -> list[str]:
    if not differences:
        return ['There is no finished pair to compare with the plain model yet.']
    sentences = []
    if single := [name for name, d in differences if d.n == 1]:
        whose = (
            'All differences'
            if len(single) == len(differences)
            else f'The differences of {", ".join(single)}'
        )
        sentences.append(
            f'{whose} are of one seed (n = 1). One seed shows no gain: it does not tell how much the '
            'result moves from seed to seed; run at least three.'
        )
    several = [(name, d) for name, d in differences if d.n > 1]
    if several:
        clear = [f'{name} ({d.mean:+.2f})' for name, d in several if _is_clear(d)]
        sentences.append(
            'Over several seeds, the 95 % interval of the paired difference leaves out zero for '
            + (', '.join(clear) if clear else 'none')
            + f' of {len(several)} comparison{"s" if len(several) > 1 else ""}'
            + '. If no preset changed anything, one comparison in twenty would still do so.'
        )
    return sentences


def _against_controls(name: str, controlled: Controlled) -> str:
    """Which controls a preset is told apart from."""
    clear, unclear, single, missing = [], [], [], []
    for control in controlled.controls:
        d = control.difference
        if d is None:
            missing.append(control.preset)
        elif d.n == 1:
            single.append(f'{control.preset} ({d.mean:+.2f})')
        elif _is_clear(d):
            clear.append(f'{control.preset} ({d.mean:+.2f})')
        else:
            least = (
                f'where {d.half_width:.2f} could have been shown'
                if d.half_width
                else f'the same with all {d.n} seeds'
            )
            unclear.append(f'{control.preset} ({d.mean:+.2f}, {least})')
    parts = [
        f'{words} {" and ".join(controls)}'
        for words, controls in (
            ('is told apart from', clear),
            ('is not told apart from', unclear),
            ('has one seed (n = 1), which tells it apart from nothing, in common with', single),
            ('has no finished seed yet in common with', missing),
        )
        if controls
    ]
    return f'Against its controls, {name}/{controlled.preset} {"; it ".join(parts)}.'


def _is_clear(difference: Estimate) -> bool:
    """Whether the 95 % interval has a width and leaves out zero."""
    return bool(difference.half_width) and abs(difference.mean) > difference.half_width
