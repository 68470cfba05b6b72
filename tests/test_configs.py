"""Every leaf config: short, listed, counted as stated, and the command line trains it on data of the real layout."""

import json
import os
import re
import shutil
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest
import torch
import yaml
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from attn_plugins.cli import train
from attn_plugins.datasets.check import check_data
from attn_plugins.datasets.heads import built_model
from attn_plugins.training.checkpoint import latest_checkpoint
from attn_plugins.training.config import leaf_configs, load_config
from attn_plugins.training.library import build_model, prepare

ROOT = Path(__file__).resolve().parent.parent
LEAVES = [
    f'configs/{path.parent.name}/{path.name}' for path in leaf_configs() if path.parent.name != 'suites'
]
TEXTS = {leaf: (ROOT / leaf).read_text() for leaf in LEAVES}
# The preset that a leaf names for good.
FIXED = {
    leaf: match[1]
    for leaf, text in TEXTS.items()
    if (match := re.search(r"_base_/attention/(\w+)\.py'", text)) and '$ATTENTION' not in text
}
REAL = [leaf for leaf in LEAVES if 'digitscenes' not in leaf]


def listed_models():
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    return {
        model['Config']: model
        for path in index['Import']
        for model in yaml.safe_load((ROOT / path).read_text())['Models']
    }


LISTED = listed_models()
PUBLISHED = [leaf for leaf in LEAVES if LISTED.get(leaf, {}).get('Published')]


@pytest.mark.parametrize('leaf', LEAVES)
def test_leaf_is_short_and_says_what_it_is(leaf):
    lines = (ROOT / leaf).read_text().splitlines()
    assert len(lines) <= 15
    assert lines[0].startswith('# ')


@pytest.mark.parametrize('folder', ['mobilenetv2', 'efficientnet'])
def test_what_is_listed_is_what_is_counted(folder):
    """Every figure of two folders; the parameters of all leaves are counted where they are trained, below."""
    command = [sys.executable, ROOT / '.dev_scripts' / 'update_metafiles.py', '--check', folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize('leaf', PUBLISHED)
def test_counted_parameters_are_the_published_ones_or_the_row_says_why_not(leaf):
    published, counted = LISTED[leaf]['Published'], LISTED[leaf]['Metadata']['Parameters']
    if published['Parameters'] is None:
        return
    printed = published['Parameters'].removesuffix(' M')
    digits = len(printed.partition('.')[2])
    assert ('Note' in published) == (f'{counted / 1e6:.{digits}f}' != printed), published


@pytest.mark.parametrize('leaf', PUBLISHED)
def test_published_row_is_stated_alike_in_header_and_index(leaf):
    header = ' '.join(line.removeprefix('# ') for line in TEXTS[leaf].splitlines() if line.startswith('#'))
    published = LISTED[leaf]['Published']
    (number,) = published['Metrics'].values()
    assert f'Published: {number}' in header
    assert re.search(r'commit \w+|mm\w+ \d\.\d', published['Source']).group(0) in header
    assert 'hardware' in header.lower() or 'GPUs' in header
    assert f'Counted: {LISTED[leaf]["Metadata"]["Parameters"]:,}' in header


@pytest.mark.parametrize('leaf', REAL)
def test_name_states_the_batch(leaf):
    cfg = load_config(ROOT / leaf)
    # mmdet's 1x is 8 GPUs of 2 images and not named.
    gpus, batch = map(int, re.search(r'_(\d+)xb(\d+)', leaf.replace('_1x_', '_8xb2_')).groups())
    assert cfg.train_dataloader.batch_size == batch
    assert cfg.auto_scale_lr.base_batch_size == gpus * batch == LISTED[leaf]['Metadata']['Batch Size']


def test_index_lists_every_leaf_and_nothing_else():
    assert sorted(LISTED) == LEAVES
    for config, model in LISTED.items():
        assert model['Name'] == Path(config).stem
        assert model['Results'][0]['Metrics'] is not None and 'Published' in model


STEPS, BATCH = 2, 2
# What each evaluator of a config logs.
METRIC = {
    'CocoMetric': 'coco/bbox_mAP',
    'VOCMetric': 'pascal_voc/mAP',
    'IoUMetric': 'mIoU',
    'Accuracy': 'accuracy/top1',
}


@pytest.fixture
def workplace(tmp_path, data_trees, any_md5, monkeypatch):
    """The folder that the command lines are called in, with every data set in `data`."""
    (tmp_path / 'data').symlink_to(data_trees)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('ATTENTION', raising=False)
    monkeypatch.setenv('LOCAL_RANK', '0')  # which train.py sets
    return tmp_path


def short_run(leaf: str) -> list[str]:
    """The options that make a leaf's training two steps of two images and one validation, in sizes a test can pay
    for.
    """
    cfg = load_config(ROOT / leaf)
    by_epoch = 'max_epochs' in cfg.train_cfg
    options = {
        'train_cfg.max_epochs' if by_epoch else 'train_cfg.max_iters': 1 if by_epoch else STEPS,
        'train_cfg.val_interval': 1 if by_epoch else STEPS,
        'visualizer.name': Path(
            leaf
        ).stem,  # mmengine keeps visualizers by name: two runs in a process would share one
    }
    for name in ('train_dataloader', 'val_dataloader'):
        loader = cfg[name]
        options |= {
            f'{name}.batch_size': BATCH,
            f'{name}.num_workers': 0,
            f'{name}.persistent_workers': False,
        }
        for key, dataset in datasets(f'{name}.dataset', loader.dataset):
            options[f'{key}.indices'] = STEPS * BATCH
            for i, transform in enumerate(dataset.pipeline):
                for argument in ('scale', 'crop_size', 'size'):
                    options |= smaller(f'{key}.pipeline.{i}.{argument}', transform.get(argument))
    if 'foreign' in (cfg.train_dataloader.get('batch_sampler') or {}):
        options['train_dataloader.batch_sampler.foreign'] = BATCH
    if cfg.train_dataloader.dataset.type == 'RepeatDataset':
        options['train_dataloader.dataset.times'] = 1
    network, model = built_model(cfg), 'model'
    if network is not cfg.model:  # a student, whose teacher has not been trained; its losses act at once
        model = 'model.student'
        options |= {'model.teacher.init_cfg': None, 'model.random_teacher': True}
        options |= {f'model.losses.{i}.schedule': None for i in range(len(cfg.model.losses))}
    options |= smaller(f'{model}.data_preprocessor.size', network.get('data_preprocessor', {}).get('size'))
    if cfg.default_scope == 'mmdet':
        # Scores start below every threshold in use, COCO's evaluation of no box has no result, and NMS of all takes
        # seconds.
        stage = f'{model}.test_cfg.rcnn' if 'rcnn' in network.test_cfg else f'{model}.test_cfg'
        options[f'{stage}.score_thr'] = 0.0
        options[f'{stage}.max_per_img'] = 20
        options[
            f'{model}.test_cfg.rpn.nms_pre' if 'rcnn' in network.test_cfg else f'{model}.test_cfg.nms_pre'
        ] = 20
    return ['--cfg-options', *(f'{key}={value}' for key, value in options.items())]


def datasets(key: str, dataset) -> list[tuple[str, dict]]:
    """The datasets that read files, with the names of their options."""
    if 'dataset' in dataset:
        parts = [name for name in ('dataset', 'foreign') if name in dataset]
        return [found for name in parts for found in datasets(f'{key}.{name}', dataset[name])]
    inner = dataset.get('datasets')
    if inner is None:
        return [(key, dataset)]
    return [found for i, one in enumerate(inner) for found in datasets(f'{key}.datasets.{i}', one)]


def smaller(key: str, size) -> dict[str, str]:
    """An eighth of the sizes that take minutes on a CPU."""
    if not isinstance(size, (tuple, list)) or max(size) <= 320:
        return {}
    return {key: f'({",".join(str(side // 8) for side in size)})'}


def kind_of(leaf: str) -> tuple:
    """What decides how a leaf is trained, its model apart: the library, the data and the schedule; a student is one
    of its own.
    """
    cfg = load_config(ROOT / leaf)
    if built_model(cfg) is not cfg.model:
        return (leaf,)
    return cfg.default_scope, *sorted(re.findall(r'_base_/(datasets|schedules)/(\w+)\.py', TEXTS[leaf]))


# Of each kind the leaf with the cheapest model.
TRAINED = {
    kind_of(leaf): leaf for leaf in sorted(LEAVES, key=lambda leaf: -LISTED[leaf]['Metadata']['M-Adds'])
}


def check_trained(weights: dict, optimizer: dict, leaf: str) -> None:
    """Every weight is finite, there are as many as are listed, and gradients have come to more than nine tenths of
    them.
    """
    assert all(value.isfinite().all() for value in weights.values())
    of_statistics = ('running_mean', 'running_var', 'num_batches_tracked')
    counted = sum(value.numel() for key, value in weights.items() if not key.endswith(of_statistics))
    assert counted == LISTED[leaf]['Metadata']['Parameters']
    # What the optimizer keeps of a parameter is zero where no gradient came.
    kept = [value for state in optimizer['state'].values() for value in state.values() if value.ndim]
    assert sum(bool(value.any()) for value in kept) > 0.9 * len(kept) > 0


@pytest.mark.parametrize('leaf', TRAINED.values())
def test_leaf_trains_and_validates_by_the_command_line(leaf, workplace):
    """Data check, two steps, one validation, on a small tree of the real layout (tests/datasets/trees.py)."""
    train.main([str(ROOT / leaf), *short_run(leaf)])
    work_dir = workplace / 'work_dirs' / Path(leaf).stem
    checkpoint = torch.load(latest_checkpoint(work_dir), weights_only=False)
    assert checkpoint['meta']['iter'] == STEPS
    check_trained(checkpoint['state_dict'], checkpoint['optimizer'], leaf)
    (scalars,) = work_dir.glob('*/vis_data/scalars.json')
    validation = json.loads(scalars.read_text().splitlines()[-1])
    assert 0 <= validation[METRIC[load_config(ROOT / leaf).val_evaluator.type]] <= 100


@pytest.mark.parametrize('leaf', sorted({*LEAVES} - {*TRAINED.values()}))
def test_leaf_takes_two_steps(leaf, workplace):
    """What the command line does with another model of the leaf's kind: data check, model, optimizer, steps on batches.

    Two, as a residual branch whose last norm starts at zero gets no gradient in the first.
    """
    args = train.parse_args([str(ROOT / leaf), *short_run(leaf)])
    cfg = load_config(ROOT / leaf, cfg_options=args.cfg_options)
    check_data(cfg, ('train_dataloader', 'val_dataloader'))
    prepare(cfg)
    init_default_scope(cfg.default_scope)
    model = build_model(cfg)
    model.init_weights()
    optimizer = build_optim_wrapper(model.train(), cfg.optim_wrapper)
    for batch in islice(Runner.build_dataloader(cfg.train_dataloader, seed=0), STEPS):
        assert model.train_step(batch, optimizer)['loss'].isfinite()
    check_trained(model.state_dict(), optimizer.state_dict(), leaf)


@pytest.mark.parametrize(
    'leaf, file',
    [
        ('ssdlite/ssdlite_mobilenetv2_8xb32-200k_coco.py', 'coco/val2017/000000000011.jpg'),
        (
            'deeplabv3/deeplabv3_mobilenetv2-d8_4xb2-80k_cityscapes-512x1024.py',
            'cityscapes/gtFine/val/munster/munster_000001_000019_gtFine_labelTrainIds.png',
        ),
        ('ssdlite/ssdlite_mobilenetv2_digitscenes.py', 'digit_scenes/coco/train/train_000002.jpg'),
        (
            'deeplabv3/deeplabv3_r18_digitscenes.py',
            'digit_scenes/cityscapes/gtFine/val/scenes/val_000001_gtFine_labelTrainIds.png',
        ),
    ],
)
def test_one_file_less_is_said_before_the_training(leaf, file, workplace, data_trees, capsys):
    Path('data').unlink()
    shutil.copytree(data_trees, 'data', copy_function=os.link)
    absent = Path('data', file)
    absent.unlink()
    with pytest.raises(SystemExit) as exit_:
        train.main([str(ROOT / 'configs' / leaf), *short_run(f'configs/{leaf}')])
    assert exit_.value.code == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith('error: ')]
    assert f'(first: {absent}) (' in line
    assert not list(workplace.glob('work_dirs/**/*.pth'))


@pytest.mark.parametrize('leaf', FIXED)
def test_leaf_with_a_layer_is_the_plain_one_and_the_layer(leaf):
    """So the pair compares the layer alone: the same place, data, schedule and loss."""
    preset = FIXED[leaf]
    plain = ROOT / leaf.replace(f'-{preset.partition("_")[0]}_', '_')
    assert load_config(ROOT / leaf).to_dict() == load_config(plain, attention=preset).to_dict()
    assert load_config(plain).attention == []


def test_configs_name_nothing_on_the_network():
    for path in (ROOT / 'configs').rglob('*.py'):
        code = '\n'.join(line for line in path.read_text().splitlines() if not line.startswith('#'))
        assert '://' not in code, path
