"""Latencies: measured once when all runs are over, kept as long as they are right, reported with what ran beside."""

import io
import multiprocessing
import signal
import time
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from rich.console import Console
from torch import nn

from attn_plugins.benchmark import latency, other_work
from attn_plugins.benchmark.other_work import OtherWork
from attn_plugins.benchmark.progress import LiveView
from attn_plugins.benchmark.report.compare import compare
from attn_plugins.benchmark.report.findings import findings
from attn_plugins.benchmark.report.sections import presets
from attn_plugins.benchmark.results import read_results
from attn_plugins.benchmark.suite import read_suite
from attn_plugins.files import read_json, write_json
from tests.benchmark.test_scheduler import drive, finish, wait_for

TOY = dict(toy=dict(config='toy.py'))


def log(suite) -> str:
    return (suite.folder / 'latency/run.log').read_text()


def cells_of(suite) -> tuple[list[tuple[str, str]], list[str]]:
    """The column of latencies, and the notes."""
    [comparison] = compare(suite, read_results(suite))
    [section] = presets(comparison)
    column = section.table.header.index('latency')
    return [(row[column].text, row[column].detail) for row in section.table.rows], section.notes


def test_it_is_measured_once_after_the_runs_and_stands_in_the_report(project):
    path = project.suite(configs=TOY)
    said = finish(path)
    assert said.index('finished toy/ca/seed0') < said.index('measuring latency, 0 of 1')
    suite = read_suite(path)
    cells, notes = cells_of(suite)
    assert cells == [('10.0 ms', '9.5 to 12.5'), ('12.0 ms', '9.5 to 12.5')]
    [note] = [note for note in notes if note.startswith('Latency')]
    assert 'median of 20 passes of each preset in turn' in note and '1 thread, float32' in note
    assert "latency 1.20 times none's." in findings(compare(suite, read_results(suite))[0])[0]
    assert 'measuring' not in finish(path) and log(suite).count('measured toy') == 1


def test_what_was_trained_anew_is_measured_anew_and_nothing_else(project):
    both = dict(toy=dict(config='toy.py'), other=dict(config='toy.py'))
    finish(project.suite(configs=both))
    both['toy']['cfg_options'] = {'train_cfg.max_epochs': 4}
    path = project.suite(configs=both)
    suite = read_suite(path)
    for run in suite.runs:
        if run.config_key == 'toy':
            for file in run.folder.iterdir():
                file.unlink()
    assert 'measuring' in finish(path)
    assert (log(suite).count('measured toy'), log(suite).count('measured other')) == (2, 1)


@pytest.mark.parametrize('name', ['machine', 'versions'])
def test_on_another_machine_or_stack_it_is_measured_anew(project, monkeypatch, name):
    path = project.suite(configs=TOY)
    finish(path)
    monkeypatch.setattr(f'attn_plugins.machine.{name}', lambda: dict(cpu='Other', gpus=[]))
    assert 'measuring' in finish(path) and log(read_suite(path)).count('measured toy') == 2
    assert 'measuring' not in finish(path)


def test_settings_that_changed_since_are_no_latency(project):
    path = project.suite(configs=TOY)
    finish(path)
    suite = read_suite(path)
    record = suite.runs[1].folder / 'run.json'
    write_json(record, dict(read_json(record), config_hash='another'))
    cells, notes = cells_of(suite)
    assert cells[1] == ('–', '') and cells[0][0] == '10.0 ms'
    assert 'no latency (ca): its settings have changed since it was measured; `run` measures it anew' in notes


def test_a_model_that_cannot_be_measured_has_a_dash_and_a_reason(project):
    path = project.suite(configs=TOY, presets=['none', {'broken': dict(cfg_options={'x': 1})}])
    finish(path)
    cells, notes = cells_of(read_suite(path))
    assert [text for text, _ in cells] == ['10.0 ms', '–']
    assert 'no latency (broken): it has no forward' in notes
    assert 'measuring' not in finish(path), 'a reason is a result'


def test_before_it_is_measured_that_is_said(project):
    path = project.suite(configs=TOY)
    finish(path)
    suite = read_suite(path)
    (suite.folder / 'latency/result.json').unlink()
    assert 'no latency (none, ca): it is measured by `run`, when all runs are over' in cells_of(suite)[1]


def test_other_work_beside_it_is_marked(project):
    path = project.suite(configs=TOY)
    finish(path)
    suite = read_suite(path)
    file = suite.folder / 'latency/result.json'
    result = read_json(file)
    result['steps']['toy'] |= dict(other_cores=0.9, load_before=3.1)
    write_json(file, result)
    cells, notes = cells_of(suite)
    assert cells[0] == ('10.0 ms', '9.5 to 12.5, busy')
    assert any('while other processes took 0.9 cores (load 3.1 before)' in note for note in notes)
    assert 'measured beside other work.' in findings(compare(suite, read_results(suite))[0])[0]


def test_interrupted_it_stops_and_the_same_command_goes_on(project):
    suite = project.suite(
        configs=dict(toy=dict(config='toy.py'), other=dict(config='toy.py')), presets=['none']
    )
    Path('hold').write_text('latency other')
    process = drive(suite)
    result = read_suite(suite).folder / 'latency/result.json'
    wait_for(lambda: 'toy' in (read_json(result) or {}).get('steps', {}))
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    assert 'other' not in read_json(result)['steps']
    Path('hold').unlink()
    finish(suite)
    assert read_json(result)['state'] == 'finished'
    assert (log(read_suite(suite)).count('measured toy'), log(read_suite(suite)).count('measured other')) == (
        1,
        1,
    )


def test_what_breaks_it_off_is_said_and_costs_no_result(project, monkeypatch):
    from tests.benchmark import stub

    def breaks(folder, run, step):
        raise MemoryError('no room')

    monkeypatch.setitem(stub.STEPS, 'latency', latency_kind(breaks))
    path = project.suite(configs=TOY)
    assert 'latency could not be measured: toy: MemoryError: no room' in finish(path)
    _, notes = cells_of(read_suite(path))
    assert 'no latency (none, ca): measuring failed (toy: MemoryError: no room)' in notes
    monkeypatch.setitem(stub.STEPS, 'latency', latency_kind(stub.latency))
    assert 'measuring latency' in finish(path)
    assert cells_of(read_suite(path))[0][0][0] == '10.0 ms'


def latency_kind(carry_out):
    from attn_plugins.benchmark.steps import StepKind

    return StepKind(carry_out)


def test_the_step_measures_in_turn_and_goes_on_after_a_model_that_breaks(tmp_path, monkeypatch):
    """On real modules: two convolutions, and a config whose model cannot be built."""
    models = {}
    for preset, channels in dict(none=2, ca=3, odd=None).items():
        folder = tmp_path / 'toy' / preset
        folder.mkdir(parents=True)
        Config(dict(channels=channels)).dump(folder / 'config.py')
        models[preset] = dict(run=f'toy/{preset}', config_hash=preset)
    passes = []

    def build(cfg):
        model = nn.Conv2d(3, cfg.channels, 3)
        model.register_forward_hook(lambda module, *args: passes.append(module.out_channels))
        return model

    monkeypatch.setattr('attn_plugins.training.library.build_model', build)
    monkeypatch.setattr(
        'attn_plugins.cost.forward_pass.make_input', lambda cfg, model: torch.zeros(1, 3, 8, 8)
    )
    work = tmp_path / 'latency'
    work.mkdir()
    step = dict(kind='latency', name='toy', models=models)
    kept = latency.measure(work, dict(steps=[step]), step)
    assert list(kept['presets']) == ['none', 'ca'] and list(kept['why_not']) == ['odd']
    assert 'TypeError' in kept['why_not']['odd'] and kept['other_cores'] >= 0 and kept['load_before'] >= 0
    none = kept['presets']['none']
    assert (
        none['repeats'] == 20 and none['p20_ms'] <= none['median_ms'] <= none['p80_ms'] and none['batch'] == 1
    )
    each = passes[6:]  # after the first pass of each, timed after two that are not
    assert each == [2, 2, 2, 3, 3, 3] * 20
    assert read_json(work / 'progress.json') == dict(text='measuring latency, 3 of 3', done=1.0)


def _work(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def test_the_work_of_others_is_seen():
    """What else runs meanwhile only adds to it."""
    others = OtherWork()
    other = multiprocessing.get_context('fork').Process(target=_work, args=(1.5,))
    other.start()
    time.sleep(1.0)
    cores = others.cores
    other.join()
    assert cores > 0.5


def test_ones_own_work_and_guests_are_not_that_of_others(monkeypatch):
    """In 10 s by the clock two cores were busy for 14 s, 3 of them with this process; a third core is not ours."""
    Core = namedtuple('Core', 'user system idle iowait guest')
    Own = namedtuple('Own', 'user system')
    now = SimpleNamespace(cores=[Core(0, 0, 0, 0, 0)] * 3, own=Own(0, 0), clock=0.0)
    monkeypatch.setattr(other_work.psutil, 'cpu_times', lambda percpu: now.cores)
    monkeypatch.setattr(other_work.psutil, 'Process', lambda: SimpleNamespace(cpu_times=lambda: now.own))
    monkeypatch.setattr(other_work.time, 'monotonic', lambda: now.clock)
    monkeypatch.setattr(other_work.os, 'sched_getaffinity', lambda pid: {0, 1}, raising=False)
    others = OtherWork()
    now.cores, now.own, now.clock = (
        [Core(6, 2, 1, 1, 2), Core(5, 1, 4, 0, 0), Core(9, 0, 1, 0, 0)],
        Own(2, 1),
        10.0,
    )
    assert others.cores == pytest.approx((14 - 3) / 10)


def test_a_terminal_has_a_bar_for_it(project):
    suite = read_suite(project.suite(configs=TOY))
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    with LiveView(suite, 1, console) as view:
        view.measuring(dict(text='measuring latency, 3 of 9', done=0.3))
        view.measured_nothing('killed')
    assert 'measuring latency, 3 of 9' in console.file.getvalue()
    assert 'latency could not be measured: killed' in console.file.getvalue()


def test_the_least_that_is_marked():
    from attn_plugins.benchmark.report.surroundings import is_busy

    assert not is_busy({}) and not is_busy(dict(other_cores=other_work.LITTLE))
    assert is_busy(dict(other_cores=0.9))
