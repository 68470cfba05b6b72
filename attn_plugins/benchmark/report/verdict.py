"""What the comparisons of a suite allow to say, in a few sentences."""

from collections.abc import Sequence

from attn_plugins.benchmark.decision import NEEDED, NO_VERDICT, NOT_DECIDED
from attn_plugins.benchmark.report.compare import EXPLORATORY, Comparison, Pair
from attn_plugins.benchmark.report.starts import NOT_ON_RECORD

# A comparison by its full name, and the comparison.
Named = tuple[str, Pair]


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
    sentences += [
        f'{c.name}/{result.preset}: {", ".join(result.caveats)}'
        + ('; its comparisons rest on the others, which favours it.' if result.lost and result.score else '.')
        for c in comparisons
        for result in c.presets
        if result.caveats
    ]
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


def _part(word: str, pairs: Sequence[Named]) -> str:
    """How many comparisons have a word: which they are, or why they are not decided."""
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
    """The range of the least differences that could have shown; those without spread have none."""
    shown = [f'{value:.2f}' for value in sorted(filter(None, least))]
    return f' ({" to ".join(dict.fromkeys((shown[0], shown[-1])))} could have shown)' if shown else ''
