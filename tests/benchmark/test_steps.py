"""Kinds of steps: what a run is made of, and that a new kind takes nothing but its own entry."""

import pytest

from attn_plugins.benchmark.results import read_results
from attn_plugins.benchmark.steps import STEPS, StepKind, fixed_names
from attn_plugins.benchmark.suite import read_suite
from attn_plugins.errors import UserError
from attn_plugins.files import read_json
from tests.benchmark import stub
from tests.benchmark.test_scheduler import finish


def names(steps: list[dict]) -> list[tuple[str, str]]:
    return [(step['kind'], step['name']) for step in steps]


@pytest.fixture
def new_kind(monkeypatch):
    """A kind of step beside those that there are, in a run's steps and in the process that carries them out."""
    kind = StepKind(
        lambda folder, run, step: dict(sharpness=step['radius'] * run['seed']),
        entries=lambda run: {f'sharpness {radius}': dict(radius=radius) for radius in (2, 3)},
    )

    def register():
        monkeypatch.setitem(STEPS, 'sharpness', kind)
        monkeypatch.setitem(stub.STEPS, 'sharpness', kind)

    return register


def test_the_steps_of_a_run(project):
    tests = dict(clean={}, noisy={'noise': 5})
    [run, _] = read_suite(project.suite(configs=dict(toy=dict(config='toy.py', tests=tests)))).runs
    assert run.steps == [
        dict(kind='train', name='train'),
        dict(kind='test', name='clean', cfg_options={}),
        dict(kind='test', name='noisy', cfg_options={'noise': 5}),
        dict(kind='count', name='count'),
        dict(kind='pictures', name='pictures', cfg_options={}),
    ]


def test_a_new_kind_is_carried_out_and_kept(project, new_kind):
    new_kind()
    path = project.suite(seeds=[4], presets=['none'], configs=dict(toy=dict(config='toy.py')))
    finish(path)
    [state] = read_results(read_suite(path))
    assert names(state.run.steps)[-2:] == [('sharpness', 'sharpness 2'), ('sharpness', 'sharpness 3')]
    assert read_json(state.run.folder / 'run.json')['steps'] == state.run.steps
    kept = state.steps['sharpness 3']
    assert (state.state, kept['sharpness'], kept['step']['radius']) == ('finished', 12, 3)
    assert kept['wall_seconds'] >= 0


def test_a_new_kind_is_done_in_runs_that_had_finished_before_it_without_training(project, new_kind):
    path = project.suite(seeds=[4], presets=['none'], configs=dict(toy=dict(config='toy.py')))
    finish(path)
    new_kind()
    assert [state.state for state in read_results(read_suite(path))] == ['cut off']
    finish(path)
    [state] = read_results(read_suite(path))
    assert state.state == 'finished' and state.steps['sharpness 2']['sharpness'] == 8
    assert (state.run.folder / 'run.log').read_text().count('$ train') == 1


def test_a_test_cannot_have_the_name_of_another_step(project, monkeypatch):
    assert fixed_names() == ['train', 'count', 'latency', 'pictures']
    monkeypatch.setitem(STEPS, 'sharpness', StepKind(lambda folder, run, step: {}))
    with pytest.raises(UserError, match="'tests' maps a name of its own"):
        read_suite(project.suite(configs=dict(toy=dict(config='toy.py', tests=dict(sharpness={})))))
