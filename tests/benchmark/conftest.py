"""A project of its own for each test: a toy config that trains nothing, and suites of it."""

from pathlib import Path

import pytest
import yaml

from attn_plugins.benchmark.record import write_json
from attn_plugins.benchmark.suite import Run

REPOSITORY = Path(__file__).resolve().parents[2]
TOY = """
_base_ = ['{presets}/{{{{$ATTENTION:none}}}}.py']
model = dict(type='Toy', backbone=dict(type='Net', depth=18))
train_cfg = dict(by_epoch=True, max_epochs=3)
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
            configs=dict(source=dict(config='toy.py'), target=dict(config='toy.py', backbone_from='source')),
        )
        content = {key: value for key, value in (content | changes).items() if value is not None}
        path = self.folder / 'toys.yml'
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return path

    @staticmethod
    def put_result(run: Run, value: float, **changes):
        """Leave what a finished run leaves, with this headline value."""
        run.folder.mkdir(parents=True, exist_ok=True)
        write_json(run.folder / 'run.json', dict(name=run.name, step='test', train_seconds=100.0))
        machine = dict(cpu='Toy CPU', cores=2, memory_gib=8.0, gpus=[])
        write_json(
            run.folder / 'result.json',
            dict(
                dict(
                    state='finished',
                    metrics={'accuracy/top1': value},
                    parameters=2_000_000,
                    madds=50_000_000,
                    input_shape=[1, 3, 48, 48],
                    train_seconds=100.0,
                    test_seconds=5.0,
                    memory_mb=900.0,
                    threads=1,
                    machine=machine,
                    versions=dict(torch='2.12.1'),
                    git_commit='0' * 40,
                ),
                **changes,
            ),
        )

    @staticmethod
    def put_failure(run: Run, error: str):
        """Leave what a failed run leaves."""
        run.folder.mkdir(parents=True, exist_ok=True)
        write_json(run.folder / 'result.json', dict(state='failed', error=error, log_tail=[error]))


@pytest.fixture
def project(tmp_path, monkeypatch) -> Project:
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)
