"""Results side by side: mean and spread of each preset over seeds, and its paired difference to the plain model."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, median, stdev

from scipy import stats

from attn_plugins.benchmark.metrics import Metric, headline
from attn_plugins.benchmark.results import Row
from attn_plugins.benchmark.suite import BASELINE


@dataclass(frozen=True)
class Spread:
    """A number over seeds. `std` (n - 1 in the denominator) and the 95 % t interval need two seeds, else None."""

    mean: float
    std: float | None
    n: int
    interval: tuple[float, float] | None


def spread(values: Sequence[float]) -> Spread | None:
    """Mean and spread; None without values."""
    if not values:
        return None
    if len(values) == 1:
        return Spread(values[0], None, 1, None)
    std = stdev(values)
    # Without any spread the t distribution has no scale; the interval is the point itself.
    low, high = (
        stats.t.interval(0.95, len(values) - 1, mean(values), stats.sem(values))
        if std
        else (mean(values), mean(values))
    )
    return Spread(mean(values), std, len(values), (float(low), float(high)))


@dataclass(frozen=True)
class Line:
    """One preset of one config.

    Attributes:
        preset: Name of the preset.
        score: The headline metric over the finished seeds, None when none has finished.
        difference: Score minus that of the plain model with the same seed, over the seeds both have finished.
        parameters, madds: Counted; None when unknown.
        train_seconds, memory_mb: Medians over the finished seeds, as measured.
        unfinished: Seed -> (state, what went wrong) of the runs that have no result.
    """

    preset: str
    score: Spread | None
    difference: Spread | None
    parameters: int | None
    madds: int | None
    train_seconds: float | None
    memory_mb: float | None
    unfinished: dict[int, tuple[str, str]]


@dataclass(frozen=True)
class Comparison:
    """One config of the suite: its metric and one line per preset, in the suite's order."""

    key: str
    config: str
    metric: Metric | None
    input_shape: list[int] | None
    lines: list[Line]


def compare(rows: Sequence[Row]) -> list[Comparison]:
    """Group a suite's rows by config and compare the presets of each."""
    keys = list(dict.fromkeys(row.run.config_key for row in rows))
    return [_compare_config([row for row in rows if row.run.config_key == key]) for key in keys]


def _compare_config(rows: list[Row]) -> Comparison:
    finished = [row for row in rows if row.state == 'finished']
    plain = {row.run.seed: _score(row) for row in finished if row.run.preset == BASELINE}
    presets = dict.fromkeys(row.run.preset for row in rows)
    return Comparison(
        key=rows[0].run.config_key,
        config=str(rows[0].run.config),
        metric=headline(finished[0].result['metrics']) if finished else None,
        input_shape=next((row.result['input_shape'] for row in finished if row.result['input_shape']), None),
        lines=[_line(preset, [row for row in rows if row.run.preset == preset], plain) for preset in presets],
    )


def _line(preset: str, rows: list[Row], plain: dict[int, float]) -> Line:
    done = [row for row in rows if row.state == 'finished']
    differences = [_score(row) - plain[row.run.seed] for row in done if row.run.seed in plain]
    return Line(
        preset=preset,
        score=spread([_score(row) for row in done]),
        difference=None if preset == BASELINE else spread(differences),
        parameters=done[0].result['parameters'] if done else None,
        madds=done[0].result['madds'] if done else None,
        train_seconds=median(row.result['train_seconds'] for row in done) if done else None,
        memory_mb=median(row.result['memory_mb'] for row in done) if done else None,
        unfinished={
            row.run.seed: (row.state, (row.result or {}).get('error', ''))
            for row in rows
            if row.state != 'finished'
        },
    )


def _score(row: Row) -> float:
    return headline(row.result['metrics']).value


def verdict(comparisons: Sequence[Comparison]) -> str:
    """What the differences allow to say, in a sentence or two."""
    differences = [
        (f'{c.key}/{line.preset}', line.difference)
        for c in comparisons
        for line in c.lines
        if line.difference
    ]
    if not differences:
        return 'There is no finished pair to compare with the plain model yet.'
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
        clear = [f'{name} ({d.mean:+.2f})' for name, d in several if not d.interval[0] <= 0 <= d.interval[1]]
        sentences.append(
            'Over several seeds, the 95 % interval of the paired difference leaves out zero for '
            + (', '.join(clear) if clear else 'none')
            + f' of {len(several)} comparison{"s" if len(several) > 1 else ""}'
            + '. If no preset changed anything, one comparison in twenty would still do so.'
        )
    return ' '.join(sentences)
