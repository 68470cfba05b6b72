"""`make demo` and its suite belong together: the data that it writes are those that its configs read."""

import shlex
from pathlib import Path

import pytest

from attn_plugins.benchmark.suite import read_suite
from attn_plugins.cli.make_digit_scenes import main, parse_args
from attn_plugins.datasets import digit_scenes
from attn_plugins.datasets.sources import how_to_get
from attn_plugins.training.config import load_config

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def in_the_projects_root(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv('ATTENTION', raising=False)


def the_commands_arguments() -> list[str]:
    """The words that the Makefile gives to make_digit_scenes.py."""
    (line,) = [
        line for line in Path('Makefile').read_text().splitlines() if 'make_digit_scenes.py --root' in line
    ]
    return shlex.split(line.split('make_digit_scenes.py')[1])


def test_the_data_that_are_written_are_those_that_are_read():
    root = parse_args(the_commands_arguments()).root
    for run in read_suite('configs/suites/demo.yml').runs:
        dataset = load_config(run.config).train_dataloader.dataset
        assert Path(dataset.data_root).parts[:2] == root.parts


def test_who_has_no_data_is_told_to_write_the_same(monkeypatch):
    written = []
    monkeypatch.setattr(digit_scenes, 'write_digit_scenes', lambda *settings: written.append(settings))
    dataset = load_config('configs/resnet/resnet8_digitscenes64.py').train_dataloader.dataset
    command = how_to_get(dataset, '').split('`')[1]
    main(shlex.split(command)[2:])
    main(the_commands_arguments())
    assert written[0] == written[1]


def test_three_tasks_with_three_seeds_and_each_from_its_classifier():
    runs = read_suite('configs/suites/demo.yml').runs
    assert len(runs) == 27 and {run.seed for run in runs} == {0, 1, 2}
    for run in runs:
        assert [need.name for need in run.needs] == (
            [] if run.config_key == 'classification' else [run.name.replace(run.config_key, 'classification')]
        )
