"""Says in a few sentences what the comparisons of a suite show, and before it starts what its seeds can show."""

from collections.abc import Sequence
from statistics import median

from attn_plugins.benchmark.decision import LEAST_SEEDS, NEEDED, NO_VERDICT, NOT_DECIDED
from attn_plugins.benchmark.report.caveats import NOT_ON_RECORD
from attn_plugins.benchmark.report.compare import EXPLORATORY, Comparison, Pair
from attn_plugins.benchmark.seeds import MoreSeeds
from attn_plugins.benchmark.statistics import least_difference, seeds_needed
from attn_plugins.benchmark.suite import Suite

# A comparison by its full name, and the comparison.
Named = tuple[str, Pair]
# Fewer seeds that have finished say nothing about a spread.
SPREAD_SEEDS = 3


def verdict(comparisons: Sequence[Comparison]) -> str:
    """Sum up the verdicts: how many comparisons are better, worse, equal, not decided or without verdict, and which."""
    pairs = [(f'{c.name}/{pair.first}', pair) for c in comparisons for pair in c.pairs]
    family = [(name, pair) for name, pair in pairs if pair.verdict != EXPLORATORY]
    by_word: dict[str, list[Named]] = {}
    for name, pair in family:
        by_word.setdefault(pair.verdict.word, []).append((name, pair))
    decided = [word for word in by_word if word not in (NOT_DECIDED, NO_VERDICT)]
    parts = [_part(word, by_word[word]) for word in (*decided, NOT_DECIDED, NO_VERDICT) if word in by_word]
    number = f'{len(family)} comparison{"s" if len(family) > 1 else ""}'
    sentences = [f'{number}: {", ".join(parts)}.']
    if not any(pair.difference for _, pair in family):
        sentences = ['There is no finished pair to compare yet.']
    if sides := _sides([pair for _, pair in family if pair.verdict.word == NO_VERDICT]):
        sentences.append(f'By their means, which decide nothing: {sides}.')
    if len(pairs) > len(family):
        more = len(pairs) - len(family)
        sentences.append(
            f'{more} more {"is exploratory and has" if more == 1 else "are exploratory and have"} no verdict.'
        )
    states = {state for c in comparisons for result in c.presets for state, _ in result.unfinished.values()}
    if decided and states - {'diverged'}:
        sentences.append('Not all runs have finished; this is said of those that have.')
    if any(pair.difference and pair.difference.n == 1 for _, pair in family):
        sentences.append(
            'One seed shows no gain: it does not tell how much the result moves from seed to seed.'
        )
    caveats: dict[str, list[str]] = {}
    for c in comparisons:
        for result in filter(lambda result: result.caveats, c.presets):
            favours = (
                '; its comparisons rest on the others, which favours it'
                if result.lost and result.score
                else ''
            )
            caveats.setdefault(', '.join(result.caveats) + favours, []).append(f'{c.name}/{result.preset}')
    sentences += [f'{", ".join(names)}: {text}.' for text, names in caveats.items()]
    sentences += [
        f'{name} minus {pair.second}: with one seed they {pair.start}.'
        for name, pair in pairs
        if pair.start not in ('', NOT_ON_RECORD)
    ]
    unknown = sum(pair.start == NOT_ON_RECORD for _, pair in pairs)
    if unknown:
        sentences.append(
            f'Whether the runs of a seed share their start is not on record for {unknown} of {len(pairs)} differences.'
        )
    return ' '.join(sentences)


def _sides(pairs: Sequence[Pair]) -> str:
    """Say of pairs of some seeds in how many comparisons which is the lower: 'ca below none in 3 of 3 comparisons'."""
    means: dict[tuple[str, str], list[float]] = {}
    for pair in pairs:
        if pair.difference and pair.difference.n > 1:
            means.setdefault((pair.first, pair.second), []).append(pair.difference.mean)
    firsts: dict[str, list[str]] = {}
    several = {names: values for names, values in means.items() if len(values) > 1}
    for (first, second), values in several.items():
        below, above = sum(value < 0 for value in values), sum(value > 0 for value in values)
        side, number = ('below', below) if below >= above else ('above', above)
        firsts.setdefault(f'{side} {second} in {number} of {len(values)} comparisons', []).append(first)
    return '; '.join(f'{", ".join(names)} {words}' for words, names in firsts.items())


def _part(word: str, pairs: Sequence[Named]) -> str:
    """Say how many comparisons have a verdict's word: which they are, or why they are not decided."""
    number, one = len(pairs), len(pairs) == 1
    if word == NO_VERDICT:
        seeds = ' or '.join(
            map(str, sorted({pair.difference.n if pair.difference else 0 for _, pair in pairs}))
        )
        return f'{number} {"has" if one else "have"} no verdict (n = {seeds}; {NEEDED})'
    if word == NOT_DECIDED:
        inside = _could_show([pair.verdict.least_difference for _, pair in pairs])
    else:
        named = (f'{name} minus {pair.second} {pair.difference.mean:+.2f}' for name, pair in pairs)
        inside = f' ({"; ".join(named)})'
    return f'{number} {"is" if one else "are"} {word}{inside}'


def _could_show(least: Sequence[float | None]) -> str:
    """Write the range of the least differences that could have shown; those without spread have none."""
    shown = [f'{value:.2f}' for value in sorted(filter(None, least))]
    return f' ({" to ".join(dict.fromkeys((shown[0], shown[-1])))} could have shown)' if shown else ''


def outlook(suite: Suite, comparisons: Sequence[Comparison]) -> list[str]:
    """Say for each config, before it is trained, the least difference that its seeds show with 80 % power.

    It follows from the declared spread, or from that of results that are there already.

    Args:
        suite: The suite.
        comparisons: What has finished of it so far.
    """
    pairs = {c.name: [pair for pair in c.pairs if pair.verdict != EXPLORATORY] for c in comparisons}
    family = sum(map(len, pairs.values()))
    names: dict[str, list[str]] = {}
    for c in comparisons:
        if pairs[c.name]:
            trained = {run.seed for run in suite.runs if run.config_key == c.key and run.trial is None}
            spreads = [d.std for pair in pairs[c.name] if (d := pair.difference) and d.n >= SPREAD_SEEDS]
            found = median(spreads) if spreads else None
            seeds, why = _seeds(len(trained), suite.more_seeds[c.key], suite.spreads[c.key] or found)
            rule = suite.more_seeds[c.key]
            sentence = why + _sentence(seeds, family, suite.spreads[c.key], found, rule and rule.first)
            names.setdefault(sentence, []).append(c.name)
    return [f'{"; ".join(where)}: {sentence}' for sentence, where in names.items()]


def _seeds(most: int, rule: MoreSeeds | None, spread: float | None) -> tuple[int, str]:
    """Tell how many seeds there will be, and in words how they are found, where a rule adds them."""
    if rule is None:
        return most, ''
    seeds = (
        rule.first if spread is None else min(most, int(seeds_needed(spread, rule.first, rule.half_width)))
    )
    return seeds, f'{rule.first} to {most} seeds, until intervals reach {rule.half_width:g} to each side; '


def _sentence(
    seeds: int, family: int, declared: float | None, found: float | None, first: int | None = None
) -> str:
    if seeds < LEAST_SEEDS:
        return f'{seeds} seed{"s give" if seeds > 1 else " gives"} no verdict: {NEEDED}'
    comparisons = f'{family} comparison{"s" if family > 1 else ""}'
    shown = f'{seeds} seeds and {comparisons} show, in four of five cases, a difference of'
    spread = declared or found
    least = least_difference(spread or 1.0, seeds, family, first=first)
    if spread:
        whose = 'as declared' if declared else 'of the results that are there'
        return f'{shown} {least:.2f} points (spread {spread:.2g} {whose})'
    return f'{shown} {least:.1f} times its spread over seeds (declare it: spread: 0.5)'
