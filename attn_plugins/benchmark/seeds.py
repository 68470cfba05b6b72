"""Reads the seeds of a suite: a list, or a rule that adds seeds until the comparisons are precise enough."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf

from attn_plugins.benchmark.suite_checks import check_keys, check_list
from attn_plugins.errors import UserError

# Seeds of the first stage, where the suite does not say how many.
FIRST = 5
KEYS = ('first', 'most', 'until_half_width')


@dataclass(frozen=True)
class MoreSeeds:
    """When a config gets more seeds than its first ones.

    Attributes:
        first: So many are trained in any case; their spread decides.
        half_width: Of the 95 % interval of each comparison, in points, that the seeds are to reach.
    """

    first: int
    half_width: float


def read_seeds(entry: dict, content: dict, where: str) -> tuple[list[int], MoreSeeds | None]:
    """Read all seeds that there may be, and the rule by which the later ones are trained; None where all are.

    Args:
        entry: What the suite says of a config.
        content: The whole suite.
        where: Words that errors begin with.

    Raises:
        UserError: They are no list of numbers, each once, and no rule.
    """
    said = entry.get('seeds', content.get('seeds'))
    if not isinstance(said, dict):
        seeds = check_list(entry, content, 'seeds', (int,), where)
        if wild := [seed for seed in seeds if not 0 <= seed < 2**32]:
            raise UserError(f"{where}: 'seeds' names {wild[0]}: NumPy takes seeds from 0 to 4294967295")
        return seeds, None
    check_keys(said, KEYS, f"{where}, 'seeds'")
    first, most, half_width = said.get('first', FIRST), said.get('most'), said.get('until_half_width')
    if half_width is None or most is None:
        absent = 'most' if half_width is not None else 'until_half_width'
        raise UserError(
            f"{where}: 'seeds' lacks '{absent}': write a list, or {{most: 20, until_half_width: 1.0}}, which adds "
            'seeds until all intervals are that narrow, to so many at most'
        )
    if type(first) is not int or type(most) is not int or not 2 <= first < most:
        raise UserError(
            f"{where}: 'seeds' has first: {first!r} and most: {most!r}: give two whole numbers, the first one at least "
            '2 and below the other'
        )
    if isinstance(half_width, bool) or not isinstance(half_width, (int, float)) or not 0 < half_width < inf:
        raise UserError(f"{where}: 'until_half_width' is in points and above 0, not {half_width!r}")
    return list(range(most)), MoreSeeds(first, float(half_width))


def seeds_wanted(
    rule: MoreSeeds, scores: Mapping[str, Mapping[int, float]], pairs: Iterable[tuple[str, str]]
) -> int:
    """Compute how many seeds give every comparison an interval as narrow as wanted, by the spread of the first ones.

    Args:
        rule: The rule.
        scores: Preset -> seed -> score, those of the first seeds that have one.
        pairs: The comparisons.
    """
    # Here, as scipy takes longer to import than `status` may.
    from attn_plugins.benchmark.statistics import paired_difference, seeds_needed

    wanted = rule.first
    for first, second in pairs:
        difference = paired_difference(scores.get(first, {}), scores.get(second, {}))
        if difference and difference.n > 1:
            wanted = max(wanted, int(seeds_needed(difference.std, difference.n, rule.half_width)))
    return wanted
