"""A researcher's typical mistakes, by the command line: one sentence before the first step, and no traceback."""

from importlib import import_module
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.cli.conftest import CLASSIFICATION, DETECTION, SEGMENTATION, error_line
from tests.datasets.trees import write_image

OWN_DATA = """
_base_ = {base!r}
train_cfg = dict(_delete_=True, by_epoch=True, max_epochs=1, val_interval=1)
pipeline = [dict(type='LoadImageFromFile'), dict(type='Resize', scale=(48, 48)), dict(type='PackInputs')]
data = dict(type='CustomDataset', data_root='mine', pipeline=pipeline)
train_dataloader = dict(batch_size=2, num_workers={workers}, dataset=dict(_delete_=True, data_prefix='train', **data))
val_dataloader = dict(batch_size=2, dataset=dict(_delete_=True, data_prefix='val', **data))
test_dataloader = val_dataloader
del data, pipeline
"""


@pytest.fixture
def folder(workspace, monkeypatch):
    monkeypatch.chdir(workspace.folder)
    monkeypatch.delenv('ATTENTION', raising=False)
    monkeypatch.setenv('LOCAL_RANK', '0')
    return workspace.folder


@pytest.fixture
def refused(folder, capsys):
    """Calls a command in the workspace and returns the one line in which it refuses its input."""

    def call(command: str, *args) -> str:
        with pytest.raises(SystemExit) as exit_:
            import_module(f'attn_plugins.cli.{command}').main([str(arg) for arg in args])
        assert exit_.value.code == 1
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith('error: ')]
        return line.removeprefix('error: ')

    return call


def own_data(images: int = 8, workers: int = 0) -> str:
    """A config of ten classes' folders, of `images` images each."""
    for split in ('train', 'val'):
        for name in range(10):
            for i in range(images if split == 'train' else 1):
                write_image(Path('mine', split, str(name), f'{i}.png'), i)
    Path('mine.py').write_text(OWN_DATA.format(base=str(CLASSIFICATION), workers=workers))
    return 'mine.py'


def test_weights_that_are_not_there_are_said_first(refused, monkeypatch):
    monkeypatch.setattr('attn_plugins.training.runner.check_data', lambda *args: pytest.fail('too late'))
    assert (
        refused('train', CLASSIFICATION, '--cfg-options', 'load_from=mine.pth')
        == 'there is no checkpoint mine.pth'
    )
    option = 'model.backbone.init_cfg={type:Pretrained,checkpoint:mine.pth}'
    text = (
        f'_base_ = {str(CLASSIFICATION)!r}\nmodel = '
        "dict(backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='mine.pth')))\n"
    )
    Path('run.py').write_text(text)
    assert refused('train', 'run.py') == 'there is no checkpoint mine.pth', option
    assert refused('test', CLASSIFICATION, 'mine.pth') == 'there is no checkpoint mine.pth'


@pytest.mark.parametrize('workers', [0, 2])
def test_a_file_in_the_middle_that_cannot_be_decoded(workers, workspace, folder):
    """The look at the data reads a few; the one that training comes to is one sentence, in workers too."""
    config = own_data(workers=workers)
    cv2.imwrite('mine/train/4/3.png', np.zeros((48, 48, 3), np.uint8))
    Path('mine/train/4/3.png').write_bytes(b'no image')
    line = error_line(workspace.run('train.py', config))
    assert line.endswith('`python tools/check_data.py CONFIG --read-files` names every such file')
    assert 'cannot be loaded (AssertionError: failed to load image: mine/train/4/3.png)' in line
    result = workspace.run('check_data.py', config, '--read-files')
    assert result.returncode == 1
    assert 'fault: mine/train/4/3.png cannot be loaded by LoadImageFromFile (' in result.stdout


@pytest.mark.parametrize(
    'option, words',
    [
        (
            'model.head.in_channels=77',
            'a batch does not pass Linear (RuntimeError: mat1 and mat2 shapes cannot',
        ),
        (
            'optim_wrapper.optimizer.lr=-1',
            'the optimizer AdamW cannot be built from its config (ValueError: Invalid learning rate: -1',
        ),
        (
            'data_root=elsewhere',
            '--cfg-options data_root changes nothing, mmengine has put the value of data_root in its',
        ),
        (
            'train_dataloader.dataset.data_prefix=trainn',
            'train_dataloader.dataset: the folder data/digit_scenes/classes/trainn is missing '
            '(data/digit_scenes/classes holds train/, val/): run `python tools/make_digit_scenes.py`',
        ),
        (
            'model.head.num_classes=3',
            'train_dataloader.dataset: it has 10 classes (0, 1, 2, 3, 4 and 5 more) and '
            'model.head.num_classes is 3: set model.head.num_classes=10',
        ),
    ],
)
def test_an_option_that_does_not_fit(option, words, refused):
    assert refused(
        'train', CLASSIFICATION, '--cfg-options', option, 'train_dataloader.batch_size=4'
    ).startswith(words)


@pytest.mark.parametrize(
    'base, option, words',
    [
        (DETECTION, 'val_evaluator.metric=segm', 'CocoMetric cannot score what the model gives (KeyError: '),
        (
            CLASSIFICATION,
            'default_hooks.checkpoint.save_best=acc',
            "default_hooks.checkpoint.save_best names 'acc', and no metric",
        ),
        (
            CLASSIFICATION,
            'train_dataloader.batch_size=0',
            'a dataloader cannot be made from its config (batch_size should be a ',
        ),
        (
            CLASSIFICATION,
            'train_cfg.val_interval=0',
            'train_cfg.val_interval is 0: set how many epochs, or iterations',
        ),
        (
            CLASSIFICATION,
            'lr=0.5',
            '--cfg-options lr changes nothing, the config has no lr: set optim_wrapper.optimizer.lr',
        ),
    ],
)
def test_values_that_fail_only_after_an_epoch_or_never(base, option, words, refused):
    short = [
        'train_cfg.max_epochs=1',
        'train_cfg.val_interval=1',
        'train_dataloader.batch_size=4',
        'param_scheduler=None',
    ]
    assert refused('train', base, '--cfg-options', *short, option).startswith(words)


def test_a_mask_in_the_middle_with_a_number_too_high(workspace, folder):
    for split in ('train', 'val'):
        for i in range(12):
            write_image(Path('mine/images', split, f'{i:02}.jpg'), i)
            path = Path('mine/masks', split, f'{i:02}.png')
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.full((96, 128), 9 if i == 4 and split == 'train' else 1, np.uint8))
    pipeline = "[dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'), dict(type='PackSegInputs')]"
    data = (
        "dict(_delete_=True, type='BaseSegDataset', data_root='mine', metainfo=dict(classes=('a', 'b')), "
        f"data_prefix=dict(img_path='images/{{0}}', seg_map_path='masks/{{0}}'), pipeline={pipeline})"
    )
    Path('run.py').write_text(
        f'_base_ = {str(SEGMENTATION)!r}\ntrain_dataloader = dict(batch_size=6, dataset={data.format("train")})\n'
        f'val_dataloader = dict(dataset={data.format("val")})\ntrain_cfg = dict(max_epochs=1, val_interval=1)\n'
        'model = dict(decode_head=dict(num_classes=2, loss_decode=dict(class_weight=None)))\n'
    )
    line = error_line(workspace.run('train.py', 'run.py'))
    assert 'a label or a pixel of a mask has the class number 9, and the head has fewer classes' in line
    result = workspace.run('check_data.py', 'run.py', '--read-files')
    assert 'fault: mine/masks/train/04.png has the value 9' in result.stdout


def test_what_a_sentence_leaves_out_stands_in_the_log_file(workspace, folder):
    result = workspace.run('train.py', CLASSIFICATION, '--cfg-options', 'model.head.in_channels=77')
    assert error_line(result).startswith(
        'error: a batch does not pass Linear ('
    )  # and no traceback on the screen
    (log,) = Path('work_dirs').glob('*/*/*.log')
    assert 'Traceback (most recent call last)' in log.read_text() and 'in forward' in log.read_text()


def test_half_a_validation(refused):
    Path('run.py').write_text(f'_base_ = {str(CLASSIFICATION)!r}\nval_evaluator = None\n')
    assert refused('train', 'run.py').startswith(
        'the config does not make a run (val_dataloader, val_cfg, and val_evaluator '
    )


def test_a_layer_that_does_not_fit_says_what_it_says(refused):
    text = f'_base_ = {str(CLASSIFICATION)!r}\nmodel = dict(backbone=dict(plugins=[dict(cfg=dict(type={{}}))]))\n'
    Path('run.py').write_text(text.format("'attn_plugins.SE', in_channels=7, reduction=1"))
    assert refused('train', 'run.py').startswith(
        'in_channels=7 in the cfg is not what MobileNetV2 has at layer'
    )
    Path('run.py').write_text(text.format("'SE5'"))
    assert "there is no model of type 'SE5': did you mean SE" in refused('train', 'run.py')


def test_names_without_their_scope(refused):
    Path('run.py').write_text(
        f"_base_ = {str(CLASSIFICATION)!r}\nmodel = dict(backbone=dict(type='Plugged', host='MobileNetV2'))\n"
    )
    assert refused('inspect_model', 'run.py') == (
        "the config names an unknown model 'Plugged': did you mean attn_plugins.Plugged?"
    )
    Path('run.py').write_text(f"_base_ = {str(CLASSIFICATION)!r}\nmodel = dict(backbone=dict(type='Qqqq'))\n")
    line = refused('inspect_model', 'run.py')
    assert 'the nearest of ' in line and len(line) < 200


@pytest.mark.parametrize(
    'name',
    [
        'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py',
        'mmseg::fcn/fcn_r18-d8_4xb2-80k_cityscapes-512x1024.py',
        'mmpretrain::resnet/resnet18_8xb32_in1k.py',
        'attn_plugins::resnet/resnet50_8xb32_in1k.py',
    ],
)
def test_configs_of_all_four_packages_are_inherited(name, folder):
    from attn_plugins.training.config import load_config

    Path('run.py').write_text(f'_base_ = {name!r}\n')
    assert load_config('run.py').model.backbone.depth in (18, 50)


def test_an_option_that_a_data_set_does_not_have(refused):
    option = 'train_dataloader.dataset.img_sufix=.png'
    assert 'img_sufix' in refused('train', DETECTION, '--cfg-options', option)


def test_the_screen_begins_with_the_training_and_the_log_has_all(workspace, folder):
    result = workspace.run('train.py', own_data(images=1))
    assert result.returncode == 0, result.stderr
    for words in ('System environment', 'Config:', 'OneDL', 'FileClient', 'CUDA_HOME', 'before_train_epoch'):
        assert words not in result.stdout + result.stderr
    (log,) = Path('work_dirs/mine').glob('*/*.log')
    assert f'config and environment: {log.absolute()}' in result.stdout
    for words in ('System environment', 'Config:', 'before_train_epoch', 'Epoch(train)'):
        assert words in log.read_text()
    assert 'Epoch(train)' in result.stdout and len(result.stdout.splitlines()) < 20
