"""A project of its own for each test: a toy config that trains nothing, and suites of it."""

from pathlib import Path

import pytest
import yaml

from attn_plugins.benchmark.report.compare import Comparison, compare
from attn_plugins.benchmark.results import read_results
from attn_plugins.benchmark.run_folder import PROGRESS, RESULT, START
from attn_plugins.benchmark.suite import Run, read_suite
from attn_plugins.files import write_json

REPOSITORY = Path(__file__).resolve().parents[2]
TOY = """
_base_ = ['{presets}/{{{{$ATTENTION:none}}}}.py']
model = dict(type='Toy', backbone=dict(type='Net', depth=18))
train_cfg = dict(by_epoch=True, max_epochs=3)
test_cfg, test_dataloader, test_evaluator = dict(), dict(), dict()
"""


class Project:
    """A folder with toy.py in it; `suite()` writes a suite file and returns its path."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.config = folder / 'toy.py'
        self.config.write_text(TOY.format(presets=REPOSITORY / 'configs/_base_/attention'))

    def suite(self, **changes) -> Path:
        content = dict(
            name='toys',
            seeds=[0],
            presets=['none', 'ca'],
            configs=dict(
                source=dict(config='toy.py'),
                target=dict(config='toy.py', weights_from=dict(backbone='source')),
            ),
        )
        content = {key: value for key, value in (content | changes).items() if value is not None}
        path = self.folder / 'toys.yml'
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return path

    @staticmethod
    def put_result(run: Run, value: float, made_with=None, curve=None, start=None, **steps):
        """Leave what a finished run leaves, with this headline value in each of its tests."""
        run.folder.mkdir(parents=True, exist_ok=True)
        done = dict(
            train=dict(train_seconds=100.0, memory_mb=900.0, memory_of='process', checkpoint='epoch_3.pth'),
            count=dict(parameters=2_000_000, madds=50_000_000, input_shape=[1, 3, 48, 48]),
        )
        for test in run.tests:
            done[test] = dict(metrics={'accuracy/top1': value}, seconds=5.0)
        for name, changes in steps.items():
            done.setdefault(name, {}).update(changes)
        for step in run.steps:
            if step['name'] in done:  # without pictures, as of a version that drew none
                done[step['name']]['step'] = step
        write_json(
            run.folder / PROGRESS, dict(done=1.0, text='testing', train_seconds=100.0, **(curve or {}))
        )
        write_json(run.folder / START, start or {'conv1.weight': '8x3x3x3 0123456789ab'})
        machine = dict(cpu='Toy CPU', cores=2, memory_gib=8.0, gpus=[])
        content = dict(
            state='finished',
            steps=done,
            threads=1,
            processes=1,
            machine=machine,
            versions=dict(torch='2.12.1'),
            git_commit='0' * 40,
        )
        write_json(run.folder / RESULT, dict(content, **(made_with or {})))

    def compare(self, scores: dict[tuple[str, int], float], seeds: list[int], **changes) -> list[Comparison]:
        """The comparison of a suite in which (preset, seed) got `scores`; what has no score has not run."""
        presets = list(dict.fromkeys(preset for preset, _ in scores))
        configs = dict(toy=dict(config='toy.py'))
        suite = read_suite(self.suite(**dict(dict(seeds=seeds, presets=presets, configs=configs), **changes)))
        for run in suite.runs:
            if (run.preset_name, run.seed) in scores:
                self.put_result(run, scores[run.preset_name, run.seed])
        return compare(suite, read_results(suite))

    @staticmethod
    def put_failure(run: Run, error: str):
        """Leave what a failed run leaves."""
        run.folder.mkdir(parents=True, exist_ok=True)
        write_json(run.folder / RESULT, dict(state='failed', error=error, steps={}))


@pytest.fixture
def project(tmp_path, monkeypatch) -> Project:
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)
