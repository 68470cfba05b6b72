"""Makes the sections of a report. A new one is a function here, and its name in one of the two lists at the end."""

import json
from collections.abc import Iterator, Sequence

from attn_plugins.benchmark.commands import read_commands
from attn_plugins.benchmark.report.caveats import metric_values, was_improving
from attn_plugins.benchmark.report.cells import (
    NOTHING,
    difference_cell,
    estimate_cell,
    million_cell,
    number_cell,
    p_cell,
    word_cell,
)
from attn_plugins.benchmark.report.compare import Comparison, PresetResult
from attn_plugins.benchmark.report.findings import findings
from attn_plugins.benchmark.report.predictions import predictions
from attn_plugins.benchmark.report.section import Cell, Section, Table
from attn_plugins.benchmark.results import RunState, clock
from attn_plugins.benchmark.statistics import PairedDifference
from attn_plugins.benchmark.suite import Suite
from attn_plugins.benchmark.suite_presets import BASELINE

SCORES_LEGEND = (
    'Scores marked % are percent points, whatever the library reports; they are of the last checkpoint in the test, '
    'mean ± standard deviation over n seeds. '
    'Parameters and multiply-adds (M-Adds) are counted (convolutions and matrix products, one image, no element-wise '
    'work); latency (the forward pass of one image), train time (median per run, with validation) and memory (the most '
    'that was held: on a GPU by torch, else by the process) are measured on the machine named below, beside what the '
    'notes below each table say, and hold for no other.'
)
BEST_LEGEND = (
    'Best validation: the highest score among the validations of each training, which may be of an earlier '
    'checkpoint. It is on the validation data and chosen by them, so it is no score of a test.'
)
DIFFERENCES_LEGEND = (
    'Differences are paired: scores of the same config, test and seed. Intervals are of each comparison alone, not '
    'corrected for how many there are. p (t): paired t test. p (sign flips): the share '
    'of sign flips whose mean is as far from zero. p (Holm): of the t test over all comparisons of the suite together, '
    'in which the smallest distance between two scores counts as a further error. A verdict needs five seeds: better '
    'or worse where p (Holm) is below 0.05; equal within a margin, which the suite must declare, where two one-sided '
    't tests are, after Holm. So of suites whose presets are all equal, at most one in twenty calls any better or '
    'worse. Correlation: of the scores with the same seed; pairing gains nothing where it is near zero. Least to '
    'show: the smallest true difference that as many seeds with that spread show in four of five suites.'
)
CONTROLS_LEGEND = 'A gain that a control has too does not come from what the control lacks.'


def presets(comparison: Comparison) -> Iterator[Section]:
    """Make the table of presets: each one's score beside what it costs."""
    metric, results = comparison.metric, comparison.presets
    unit = ', %' if metric and metric.unit else ''
    columns = {
        'preset': lambda result: word_cell(result.preset, result.variant),
        (metric.name if metric else 'score') + unit: score_cell,
        f'best validation{unit}': lambda result: estimate_cell(result.best),
        f'minus {BASELINE}': lambda result: difference_cell(result.difference),
        'parameters': lambda result: million_cell(result.parameters, 3),
        'M-Adds': lambda result: million_cell(result.madds, 1),
        'latency': latency_cell,
        'train time': time_cell,
        'memory': lambda result: number_cell(result.memory_mb or None, '{:,.0f} MB', result.memory_of),
    }
    legend = [SCORES_LEGEND, BEST_LEGEND]
    if not any(result.best for result in results):
        del columns[f'best validation{unit}']
        legend.remove(BEST_LEGEND)
    # Those of the other presets stand in their sentences.
    plain = [result for result in results if result.preset == BASELINE]
    notes = [f'{result.preset}: {caveat}' for result in plain for caveat in result.caveats]
    notes += [*_not_counted(results), *comparison.times]
    yield Section(
        comparison.name,
        _table(columns, results),
        about=comparison.config,
        findings=findings(comparison),
        notes=notes,
        legend=legend,
    )


def score_cell(result: PresetResult) -> Cell:
    """Write the mean over the finished seeds, and what became of the others: what is missing is never left out."""
    return estimate_cell(result.score, result.missing)


def latency_cell(result: PresetResult) -> Cell:
    """Write the median, below it the 20th and the 80th percentile."""
    if result.latency is None:
        return NOTHING
    median, *ends = (result.latency[key] for key in ('median_ms', 'p20_ms', 'p80_ms'))
    digits = 1 if median < 100 else 0
    detail = ' to '.join(f'{end:.{digits}f}' for end in ends)
    detail += ', busy' if result.latency['is_busy'] else ''
    return Cell(f'{median:.{digits}f} ms', median, detail)


def time_cell(result: PresetResult) -> Cell:
    """Write the seconds of a training."""
    seconds = result.train_seconds
    return NOTHING if seconds is None else Cell(clock(seconds), seconds)


def _not_counted(results: Sequence[PresetResult]) -> list[str]:
    """Say why parameters and M-Adds of presets are missing, each reason once."""
    reasons: dict[str, list[str]] = {}
    for result in results:
        if result.why_not_counted:
            reasons.setdefault(result.why_not_counted, []).append(result.preset)
    return [f'not counted ({", ".join(names)}): {reason}' for reason, names in reasons.items()]


def differences(comparison: Comparison) -> Iterator[Section]:
    """Make the table of differences of two presets, each with its tests and its verdict."""
    columns = {
        'difference': lambda pair: word_cell(f'{pair.first} minus {pair.second}'),
        'mean': lambda pair: difference_cell(pair.difference),
        'verdict': lambda pair: word_cell(pair.verdict.word, pair.verdict.reason),
        'p (t)': lambda pair: p_cell(pair.difference and pair.difference.p_t),
        'p (sign flips)': lambda pair: (
            p_cell(pair.difference.p_sign_flip, _flips(pair.difference))
            if pair.difference and pair.difference.flips
            else NOTHING
        ),
        'p (Holm)': lambda pair: p_cell(pair.verdict.p_holm),
        'correlation': lambda pair: number_cell(pair.difference and pair.difference.correlation),
        'least to show': lambda pair: number_cell(pair.verdict.least_difference),
    }
    for name in ('p (Holm)', 'least to show'):  # which only a verdict has
        if all(columns[name](pair) is NOTHING for pair in comparison.pairs):
            del columns[name]
    notes = [
        f'{pair.first} minus {pair.second}: {pair.rests_on}' for pair in comparison.pairs if pair.rests_on
    ]
    if comparison.pairs:
        table = _table(columns, comparison.pairs)
        yield Section('Differences', table, level=3, notes=notes, legend=[DIFFERENCES_LEGEND])


def _flips(difference: PairedDifference) -> str:
    """Say how many sign flips a p value rests on, and where fewer cannot give a smaller one."""
    least = difference.p_sign_flip <= 2 / difference.flips
    return f'{difference.flips:,} flips{", the least possible" if least else ""}'


def controls(comparison: Comparison) -> Iterator[Section]:
    """Make a table for each preset with controls: its own gain, each control's, and the difference of the two."""
    for controlled in comparison.controls:
        header = ['preset', f'minus {BASELINE}', f'{controlled.preset} minus it']
        rows = [[word_cell(controlled.preset), difference_cell(controlled.gain), NOTHING]]
        rows += [
            [word_cell(control.preset), difference_cell(control.gain), difference_cell(control.difference)]
            for control in controlled.controls
        ]
        title = f'{controlled.preset} beside its controls'
        yield Section(title, Table(header, rows), level=3, legend=[CONTROLS_LEGEND])


def tuning(comparison: Comparison) -> Iterator[Section]:
    """Make the table of what each preset has tried: its mean score on held-out training images, and what it chose."""
    if comparison.tuned:
        values = [tried.values for tried in next(iter(comparison.tuned.values()))]
        rows = [
            [
                word_cell(preset),
                *(
                    Cell(tried.what, None)
                    if tried.score is None
                    else number_cell(tried.score, detail='chosen' if tried.is_chosen else '')
                    for tried in all_tried
                ),
            ]
            for preset, all_tried in comparison.tuned.items()
        ]
        note = (
            'Mean score on training images that were held out, over the seeds of the trials; chosen: the values that '
            'the preset was then trained with. The test data are no part of it.'
        )
        yield Section('Tuning', Table(['preset', *values], rows), level=3, notes=[note])


def pictures(comparison: Comparison) -> Iterator[Section]:
    """Draw accuracy over cost, and the learning curves."""
    # Here, as matplotlib takes long to import.
    from attn_plugins.benchmark.report.plot import accuracy_cost_svg, learning_curves_svg

    plots = [plot for plot in (accuracy_cost_svg(comparison), learning_curves_svg(comparison)) if plot]
    has_spread = any(result.score and result.score.n > 1 for result in comparison.presets)
    bars = (
        'Bars: standard deviation over seeds.'
        if has_spread
        else 'One seed: the height of a point carries no error bar.'
    )
    note = (
        'Accuracy over cost: higher is better, further left is cheaper; square: none, the plain model. '
        f'Element-wise work is no part of multiply-adds; latency shows it. {bars} '
        f'Learning curves: a line per run{_flat(comparison)}.'
    )
    if plots:
        yield Section('Accuracy over cost, learning curves', level=3, notes=[note], plots=plots)


def _flat(comparison: Comparison) -> str:
    """Say that no curve was still rising, if all have enough validations to tell; the caveats name those that were."""
    curves = [curve for result in comparison.presets for curve in result.curves.values()]
    if not comparison.metric or not curves:
        return ''
    rising = {was_improving(metric_values(curve['validation'], comparison.metric)) for curve in curves}
    return '; no line was still rising at its end' if rising == {False} else ''


def unfinished(suite: Suite, states: Sequence[RunState]) -> Iterator[Section]:
    """Make the table of runs without a result, and why they have none."""
    rows = [
        [
            word_cell(state.run.name),
            word_cell(state.state, is_bad=state.state == 'failed'),
            word_cell(state.error),
        ]
        for state in reported(states)
        if state.state != 'finished'
    ]
    if rows:
        yield Section('Runs without a result', Table(['run', 'state', 'why'], rows))


def origin(suite: Suite, states: Sequence[RunState]) -> Iterator[Section]:
    """Make the table of what the results were made with; more than one machine or commit means that they differ."""
    found = made_with(states)
    why = 'not on record (an older version)' if any(state.made_with for state in states) else 'none yet'
    again = f'{why}; it is run by python tools/benchmark.py run {suite.path}'
    commands = read_commands(suite.folder) or [again]
    threads = [f', {_number(number, "thread")} each' for number in found['threads'] if number]
    processes = ' or '.join(_number(number, 'process') for number in found['processes'])
    items = [
        *(('Command', command) for command in commands),
        ('Seeds', ', '.join(map(str, found['seeds']))),
        *(('Machine', _machine(machine)) for machine in found['machines']),
        *([('Per run', f'{processes}{"".join(threads)}')] if processes else []),
        *(('Versions', ', '.join(f'{k} {v}' for k, v in versions.items())) for versions in found['versions']),
        *(
            ('Code', f'git commit {commit}' if commit else 'not in a git repository')
            for commit in found['git_commits']
        ),
    ]
    yield Section('Made with', Table(['item', 'value'], [[*map(word_cell, item)] for item in items]))


def _number(number: int, what: str) -> str:
    return f'{number} {what}{"" if number == 1 else "es" if what.endswith("s") else "s"}'


def _machine(machine: dict) -> str:
    gpus = ', '.join(machine['gpus']) or 'no GPU'
    return f'{machine["cpu"]}, {machine["cores"]} cores, {machine["memory_gib"]} GiB memory, {gpus}'


def made_with(states: Sequence[RunState]) -> dict:
    """Collect the different machines, versions, commits, processes and threads of the results, and the seeds."""
    finished = [state.made_with for state in states if state.state == 'finished']

    def different(key: str) -> list:
        texts = dict.fromkeys(json.dumps(entry[key]) for entry in finished)
        return [json.loads(text) for text in texts]

    return dict(
        machines=different('machine'),
        versions=different('versions'),
        git_commits=different('git_commit'),
        processes=different('processes'),
        threads=different('threads'),
        seeds=sorted({state.run.seed for state in states}),
    )


def reported(states: Sequence[RunState]) -> list[RunState]:
    """Leave out runs of later seeds that are not to be trained, or not yet."""
    return [state for state in states if state.state not in ('undecided', 'not needed')]


def _table(columns: dict, rows: Sequence) -> Table:
    return Table(list(columns), [[cell(row) for cell in columns.values()] for row in rows])


# Of every config in every test, and then of the suite as a whole.
OF_A_COMPARISON = [presets, differences, controls, tuning, pictures, predictions]
OF_THE_SUITE = [unfinished, origin]


def sections_of(suite: Suite, states: Sequence[RunState], comparisons: Sequence[Comparison]) -> list[Section]:
    """Make all sections of a report; the legends of its tables stand below them in a section of their own."""
    tables = [section for each in comparisons for make in OF_A_COMPARISON for section in make(each)]
    legend = Section('How to read the tables', notes=legend_of(tables))
    return [*tables, legend, *(section for make in OF_THE_SUITE for section in make(suite, states))]


def legend_of(sections: Sequence[Section]) -> list[str]:
    """Collect the paragraphs that explain the numbers, each once."""
    return list(dict.fromkeys(paragraph for section in sections for paragraph in section.legend))
