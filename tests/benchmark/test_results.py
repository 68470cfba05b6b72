"""The state of runs, read from their folders, and how far they are."""

import pytest

from attn_plugins.benchmark.plan import plan_suite, write_inputs
from attn_plugins.benchmark.results import clock, read_results, seconds_left
from attn_plugins.benchmark.run_folder import Locked, folder_lock, is_locked
from attn_plugins.benchmark.suite import read_suite
from attn_plugins.files import read_json, write_json


def states(suite):
    return {state.run.name: state.state for state in read_results(suite)}


def test_states(project):
    suite = read_suite(project.suite(presets=['none', 'ca', 'eca', 'se']))
    runs = {run.name: run for run in suite.runs}
    project.put_result(runs['source/none/seed0'], 90.0)
    project.put_failure(runs['source/ca/seed0'], 'broken')
    runs['source/eca/seed0'].folder.mkdir(parents=True)
    write_json(runs['source/eca/seed0'].folder / 'run.json', {})
    with folder_lock(runs['target/none/seed0'].folder):
        now = states(suite)
    assert now == {
        'source/none/seed0': 'finished',
        'source/ca/seed0': 'failed',
        'source/eca/seed0': 'cut off',
        'source/se/seed0': 'waiting',
        'target/none/seed0': 'running',
        'target/ca/seed0': 'blocked',
        'target/eca/seed0': 'waiting',
        'target/se/seed0': 'waiting',
    }
    assert states(suite)['target/none/seed0'] == 'waiting'


def test_time_left_follows_what_finished_runs_took(project):
    suite = read_suite(project.suite())
    assert seconds_left(read_results(suite), parallel=2) is None
    project.put_result(suite.runs[0], 90.0)  # 105 s
    assert seconds_left(read_results(suite), parallel=1) == 315.0
    assert seconds_left(read_results(suite), parallel=2) == 157.5
    running = suite.runs[1]
    running.folder.mkdir(parents=True)
    write_json(running.folder / 'progress.json', dict(done=0.5, text='epoch 3/5', train_seconds=40.0))
    with folder_lock(running.folder):
        assert seconds_left(read_results(suite), parallel=1) == 105 / 2 + 2 * 105


def test_what_was_trained_with_other_settings_is_told(project):
    suite = read_suite(project.suite(presets=['none']))
    for run, plan in plan_suite(suite, devices=1).items():
        write_inputs(plan, suite, 1) if not run.needs else None
        project.put_result(run, 90.0)
    project.config.write_text(project.config.read_text().replace('max_epochs=3', 'max_epochs=4'))
    now = read_results(suite, plan_suite(suite, devices=1))
    assert [state.state for state in now] == ['outdated', 'finished']


def test_a_folder_has_one_holder(tmp_path):
    with folder_lock(tmp_path), pytest.raises(Locked) as error, folder_lock(tmp_path, patience=0.1):
        pass
    assert error.value.pid is not None
    assert not is_locked(tmp_path)
    with folder_lock(tmp_path):
        assert is_locked(tmp_path)


def test_a_record_is_replaced_whole(tmp_path):
    write_json(tmp_path / 'a.json', dict(x=1))
    with pytest.raises(TypeError):
        write_json(tmp_path / 'a.json', dict(x=object()))
    assert read_json(tmp_path / 'a.json') == dict(x=1)
    assert read_json(tmp_path / 'b.json') is None


def test_clock():
    assert [clock(s) for s in (45.2, 185, 12000)] == ['45 s', '3 min 05 s', '3 h 20 min']
