"""Says of each preset, in one plain sentence, what was seen and what that allows to say."""

from attn_plugins.benchmark.decision import LEAST_SEEDS, NO_VERDICT, Verdict
from attn_plugins.benchmark.metrics import Metric
from attn_plugins.benchmark.report.caveats import NOT_ON_RECORD
from attn_plugins.benchmark.report.cells import minus, signed
from attn_plugins.benchmark.report.compare import EXPLORATORY, Comparison, Pair, PresetResult
from attn_plugins.benchmark.statistics import PairedDifference
from attn_plugins.benchmark.suite_presets import BASELINE

# What more of these is given in, and the least part of it that is not given as a plain number.
MILLION, LEAST_MILLION = 1e6, 0.1
# A share of less than this is only said to be below it.
LEAST_SHARE = 0.0001


def findings(comparison: Comparison) -> list[str]:
    """Write the sentence of each preset but the plain model, in the suite's order."""
    plain = next((result for result in comparison.presets if result.preset == BASELINE), None)
    return [_finding(result, plain, comparison) for result in comparison.presets if result.preset != BASELINE]


def _finding(result: PresetResult, plain: PresetResult | None, comparison: Comparison) -> str:
    """Say what is to be known of the runs, then what was seen, what it allows to say, and what the preset costs."""
    pair = _with_plain(comparison, result.preset)
    parts = [_caution(result, plain, pair), _seen(result, plain, pair, comparison.metric)]
    parts.append(_cost(result, plain) if plain else '')
    return f'{result.preset}: {"; ".join(filter(None, parts))}.'


def _with_plain(comparison: Comparison, preset: str) -> Pair | None:
    """Find the preset's pair with the plain model, which a suite may declare in either order."""
    return next((pair for pair in comparison.pairs if {pair.first, pair.second} == {preset, BASELINE}), None)


def _caution(result: PresetResult, plain: PresetResult | None, pair: Pair | None) -> str:
    """Say what comes before any reading of the difference; empty if there is nothing."""
    own, plains = known(result), known(plain) if plain and result.score else []
    words = [f'{caveat}, of {BASELINE} too' if caveat in plains else caveat for caveat in own]
    words += [f'of {BASELINE} {caveat}' for caveat in plains if caveat not in own]
    if pair and pair.start == NOT_ON_RECORD:
        words.append(f'whether it starts from the weights of {BASELINE} is not on record')
    elif pair and pair.start:
        words.append(f'with one seed it and {BASELINE} {pair.start}')
    return f'caution, {", and ".join(words)}' if words else ''


def known(result: PresetResult) -> list[str]:
    """List the caveats of a preset's runs and the seeds without a result; what diverged is among the caveats."""
    if result.score is None:
        return result.caveats
    return [*result.caveats, *(words for words in result.missing if not words.endswith('diverged'))]


def _seen(result: PresetResult, plain: PresetResult | None, pair: Pair | None, metric: Metric | None) -> str:
    """Say how far the score is from the plain model's, on which seeds, and what the verdict is."""
    if result.score is None:
        return f'no score{_because(result)}, so there is nothing to compare'
    mean = f'{metric.name} {result.score.mean:.2f}{metric.unit} on {_seeds(result.score.n)}'
    if plain is None:
        return f'{mean}; the suite does not train {BASELINE} here, so there is nothing to compare it with'
    if plain.score is None:
        return f'{mean}; {BASELINE} has no score{_because(plain)}, so there is nothing to compare it with'
    if result.difference is None:
        return f'{mean}; no seed in common with {BASELINE}, so there is no difference to speak of'
    rest = _rest(result, plain, result.difference.n)
    said = difference_words(metric, result.difference, BASELINE) + rest
    return f'{said}: {_allows(pair, result.difference)}'


def difference_words(metric: Metric, difference: PairedDifference, other: str) -> str:
    """Say a paired difference: 'top-1 1.20 points above none on the mean of 3 seeds (95 %: ...), higher in 2 of 3'."""
    n, points = difference.n, ' points' if metric.unit else ''
    size = f'{abs(difference.mean):.2f}'
    where = 'above' if difference.mean > 0 else 'below'
    far = f'{size}{points} {where} {other}' if float(size) else f'as {other}, to the second digit,'
    text = f'{metric.name} {far} {"on the mean of " if n > 1 else "with "}{_seeds(n)}'
    if n == 1:
        return text
    low, high = map(signed, difference.interval)
    more = ('lower', difference.below) if difference.mean < 0 else ('higher', difference.above)
    return f'{text} (95 %: {low} to {high}), {more[0]} in {more[1]} of {n} seeds'


def _rest(result: PresetResult, plain: PresetResult, n: int) -> str:
    """Say on how many seeds the difference rests, if not on all, and whom that favours."""
    seeds = max(result.seeds, plain.seeds)
    if n == seeds:
        return ''
    lost = [each.preset for each in (result, plain) if each.lost]
    return f', of the {seeds} that are planned' + (f', which favours {lost[0]}' if len(lost) == 1 else '')


def _allows(pair: Pair | None, difference: PairedDifference) -> str:
    """Say what the verdict of the pair is, seen from the preset."""
    if difference.n == 1:
        return 'not decided, as one seed does not tell how much the result moves from seed to seed'
    verdict = pair.verdict if pair else EXPLORATORY
    if verdict.word == NO_VERDICT:
        return f'not decided, as a verdict needs {LEAST_SEEDS} seeds'
    if verdict == EXPLORATORY:
        return f'without a verdict, as it is {verdict.reason}'
    return f'{_word(verdict, pair)} ({verdict.reason})'


def _word(verdict: Verdict, pair: Pair) -> str:
    """Turn the word of a pair that is the plain model minus the preset."""
    turned = {'better': 'worse', 'worse': 'better', 'higher': 'lower', 'lower': 'higher'}
    return turned.get(verdict.word, verdict.word) if pair.first == BASELINE else verdict.word


def _because(result: PresetResult) -> str:
    """Say why there is no score: the states of its seeds, or else its caveats, which stand before."""
    return f' ({", ".join(result.missing)})' if result.missing else ''


def _cost(result: PresetResult, plain: PresetResult) -> str:
    """Say what the preset costs beside the plain model: counted, then measured."""
    if result.parameters is None and result.madds is None and result.latency is None:
        return 'what it costs is not known'
    counted = [
        _more(getattr(result, key), getattr(plain, key), name)
        for key, name in (('parameters', 'parameters'), ('madds', 'multiply-adds'))
    ]
    if result.latency and plain.latency:
        times = result.latency['median_ms'] / plain.latency['median_ms']
        latency = f"latency {times:.2f} times {BASELINE}'s"
        latency += ', measured beside other work' if result.latency['is_busy'] else ''
    else:
        latency = f'latency beside {BASELINE} not measured'
    return ', '.join([*counted, latency])


def _more(count: int | None, plain: int | None, name: str) -> str:
    """Say by how much one count is above another: '12,000 parameters more (+12 %)'."""
    if count is None or plain is None:
        return f'{name} beside {BASELINE} not counted'
    more = count - plain
    if not more:
        return f'as many {name} as {BASELINE}'
    size = abs(more) / MILLION
    text = f'{size:,.2f} M' if size >= LEAST_MILLION else f'{abs(more):,}'
    share = f' ({_share(more / plain)})' if plain else ''
    return f'{text} {name} {"more" if more > 0 else "fewer"}{share}'


def _share(share: float) -> str:
    """Write a share with two digits that count: '+12 %', '+0.45 %'."""
    if abs(share) < LEAST_SHARE:
        return f'less than {100 * LEAST_SHARE:g} %'
    percent = 100 * share
    text = f'{percent:+,.0f} %' if abs(percent) >= 10 else f'{percent:+.2g} %'
    return minus(text)


def _seeds(n: int) -> str:
    return f'{n} seed{"s" if n > 1 else ""}'
