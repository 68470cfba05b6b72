"""What a config or an option sets in vain, since mmengine has put it elsewhere before."""

import inspect
import re
from pathlib import Path

import pytest
from mmengine.runner import Runner

from attn_plugins.errors import UserError
from attn_plugins.training.config import load_config
from attn_plugins.training.variables import READ, RUNNER
from tests.insertion.conftest import log_lines  # noqa: F401

BASE = """
data_root = 'data/coco/'
train_pipeline = [dict(type='LoadImageFromFile'), dict(type='Resize', scale=320)]
num_classes = 80
max_epochs = 12
my_flag = 1
train_dataloader = dict(dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data_root=data_root))
model = dict(bbox_head=dict(num_classes=num_classes, stacked_convs=80))
train_cfg = dict(max_epochs=max_epochs)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('ATTENTION', raising=False)
    Path('base.py').write_text(BASE)


def test_every_word_that_a_runner_takes_is_known():
    assert set(inspect.signature(Runner.__init__).parameters) - {'self'} == set(RUNNER)
    later = set(re.findall(r"self\.cfg\.get\(\s*'(\w+)'", inspect.getsource(Runner)))
    assert {'sync_bn', 'model_wrapper_cfg'} <= later <= READ


def refused(text: str = '', **options) -> str:
    Path('run.py').write_text(f"_base_ = 'base.py'\n{text}\n")
    with pytest.raises(UserError) as error:
        load_config('run.py', cfg_options={key.replace('__', '.'): value for key, value in options.items()})
    return str(error.value)


def accepted(text: str = '', **options):
    Path('run.py').write_text(f"_base_ = 'base.py'\n{text}\n")
    return load_config(
        'run.py', cfg_options={key.replace('__', '.'): value for key, value in options.items()}
    )


@pytest.mark.parametrize(
    'options, words',
    [
        (
            dict(data_root='mine/'),
            'data_root changes nothing, mmengine has put the value of data_root in its places before: set '
            'train_dataloader.dataset.data_root, val_dataloader.dataset.data_root',
        ),
        (dict(train_pipeline__1__scale=64), 'set train_dataloader.dataset.pipeline.1.scale'),
        (
            dict(num_classes=3),
            'set model.bbox_head.num_classes',
        ),  # and not stacked_convs, which is 80 by chance
        (
            dict(train_dataloder__batch_size=3),
            'the config has no train_dataloder: did you mean train_dataloader?',
        ),
    ],
)
def test_options_that_change_nothing(options, words):
    assert refused(**options).endswith(words)


def test_options_that_change_something():
    options = {
        'train_cfg__max_epochs': 3,
        'my_flag': 2,
        'auto_scale_lr__base_batch_size': 8,
    }
    cfg = accepted(**options)
    assert cfg.train_cfg.max_epochs == 3 and cfg.my_flag == 2


def test_an_option_that_only_code_of_ones_own_can_read(log_lines):  # noqa: F811
    assert accepted(qqq=3).qqq == 3
    assert (
        'the config has no qqq: --cfg-options qqq counts only if code of your own reads it' in log_lines[-1]
    )


@pytest.mark.parametrize(
    'text, words',
    [
        ("data_root = 'mine/'", 'set train_dataloader.dataset.data_root, val_dataloader.dataset.data_root'),
        ('max_epochs = 3', 'set train_cfg.max_epochs'),
        ("train_pipeline = [dict(type='Mine')]", 'set train_dataloader.dataset.pipeline'),
    ],
)
def test_a_file_that_sets_a_variable_of_its_base(text, words):
    said = refused(text)
    assert said.startswith(f'run.py sets {text.split()[0]}, which changes nothing: ') and said.endswith(words)


@pytest.mark.parametrize(
    'text',
    [
        "data_root = 'mine/'\ntrain_dataloader = dict(dataset=dict(data_root=data_root))",
        "data_root = 'data/coco/'",  # as it is
        'my_flag = 2',  # which no file reads, so something else may
        "train_pipeline = [dict(type='Mine')]\ntrain_dataloader = dict(dataset=dict(pipeline=train_pipeline))",
        'model = dict(bbox_head=dict(num_classes=3))',
        'max_epochs = {{_base_.max_epochs}}\ntrain_cfg = dict(max_epochs=max_epochs)',
        'mine = _base_.num_classes',
        'lr = 3',
    ],
)
def test_a_file_that_sets_what_counts(text):
    accepted(text)


def test_a_shipped_config_that_does_it_is_run_with_a_warning(caplog):
    Path('.mim').mkdir()
    Path('.mim/run.py').write_text("_base_ = '../base.py'\nmax_epochs = 3\n")
    load_config('.mim/run.py')
