"""What ran beside a training is said as far as it is on record, and nothing else."""

import pytest

from attn_plugins.benchmark.report.compare import compare
from attn_plugins.benchmark.results import read_results
from attn_plugins.benchmark.suite import read_suite


def said(project, trains) -> list[str]:
    """The notes about train times of a suite whose runs have these entries."""
    seeds = list(range(len(trains)))
    suite = read_suite(project.suite(seeds=seeds, presets=['none'], configs=dict(toy=dict(config='toy.py'))))
    for run, train in zip(suite.runs, trains, strict=True):
        project.put_result(run, 90.0, train=train)
    [toy] = compare(suite, read_results(suite))
    return [note for note in toy.times if 'rain' in note]


@pytest.mark.parametrize(
    'trains, notes',
    [
        (
            [dict(parallel=2, load=1.9), dict(parallel=2, load=2.3)],
            [
                'Train times were measured with up to 2 runs side by side on 2 cores (load 1.9 to 2.3 at their end).'
            ],
        ),
        (
            [dict(parallel=1, load=1.0)],
            ['Train times were measured with one run at a time on 2 cores (load 1.0 at their end).'],
        ),
        (
            [dict(parallel=2, load=5.1), dict(parallel=2, load=2.0)],
            [
                'Train times were measured with up to 2 runs side by side on 2 cores (load 2.0 to 5.1 at their end).',
                '1 of 2 trainings ran beside other work (load 5.1 on 2 cores), which makes their times longer.',
            ],
        ),
        ([{}], ['Train times: what ran beside them is not on record (an older version).']),
        (
            [{}, dict(parallel=2, load=2.0)],
            [
                'Train times were measured with up to 2 runs side by side on 2 cores (load 2.0 at their end); what ran '
                'beside some of them is not on record (an older version).'
            ],
        ),
    ],
)
def test_what_is_said_of_train_times(project, trains, notes):
    assert said(project, trains) == notes
