"""The state of runs, read from their folders, and how far they are."""

import pytest

from attn_plugins.benchmark.record import Locked, folder_lock, is_locked, read_json, write_json
from attn_plugins.benchmark.results import clock, read_progress, read_results, seconds_left
from attn_plugins.benchmark.suite import read_suite

EPOCH_LINE = '2026/01/01 - mmengine - INFO - Epoch(train)  [3][ 50/100]  lr: 1e-3  eta: 0:01:00  time: 0.1  loss: 1.0\n'
ITER_LINE = (
    '2026/01/01 - mmengine - INFO - Iter(train) [  500/2000]  lr: 1e-3  eta: 0:10:11  time: 0.1  loss: 1.0\n'
)


def states(suite):
    return {row.run.name: row.state for row in read_results(suite)}


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


@pytest.mark.parametrize(
    ('lines', 'fraction', 'text'),
    [
        ('', 0.0, 'starting'),
        (EPOCH_LINE, 2.5 / 8, 'epoch 3/8'),
        (EPOCH_LINE + '... Epoch(val) [3][10/20]  eta: 0:00:05\n', 2.5 / 8, 'epoch 3/8'),
        (ITER_LINE, 0.25, 'iteration 500/2000'),
        (EPOCH_LINE + '$ python tools/train.py\n', 0.0, 'starting'),
    ],
)
def test_progress_is_read_from_the_log(project, lines, fraction, text):
    run = read_suite(project.suite()).runs[0]
    run.folder.mkdir(parents=True)
    write_json(run.folder / 'run.json', dict(max_epochs=8, step='train', train_seconds=40.0))
    (run.folder / 'train.log').write_text('$ python tools/train.py\n' + lines)
    now = read_progress(run)
    assert (now.fraction, now.text, now.seconds) == (fraction, text, 40.0)


def test_time_left_follows_what_finished_runs_took(project):
    suite = read_suite(project.suite())
    assert seconds_left(read_results(suite), slots=2) is None
    project.put_result(suite.runs[0], 90.0)  # 105 s
    assert seconds_left(read_results(suite), slots=1) == 315.0
    assert seconds_left(read_results(suite), slots=2) == 157.5
    running = suite.runs[1]
    running.folder.mkdir(parents=True)
    write_json(running.folder / 'run.json', dict(max_epochs=5, step='train', train_seconds=40.0))
    (running.folder / 'train.log').write_text(EPOCH_LINE)
    with folder_lock(running.folder):
        assert seconds_left(read_results(suite), slots=1) == 105 / 2 + 2 * 105


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
