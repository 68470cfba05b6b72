"""Every leaf config: short, listed, counted as stated, and it takes a step and predicts on data of the right layout."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from mmengine.runner import Runner

from attn_plugins.analysis.cost import count_parameters
from attn_plugins.datasets.digit_scenes import write_digit_scenes
from attn_plugins.engine.config import load_config
from attn_plugins.engine.library import build_model, prepare

ROOT = Path(__file__).resolve().parent.parent
LEAVES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / 'configs').glob('*/*.py')
    if path.parent.name not in ('_base_', 'suites')
)
VARIED = [leaf for leaf in LEAVES if '$ATTENTION' in (ROOT / leaf).read_text()]
PUBLISHED = [leaf for leaf in LEAVES if leaf not in VARIED]


def listed_models():
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    return {
        model['Config']: model
        for path in index['Import']
        for model in yaml.safe_load((ROOT / path).read_text())['Models']
    }


LISTED = listed_models()


def draw(path, height, width, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def write_coco(root):
    for split, ids in (('train2017', range(4)), ('val2017', range(10, 12))):
        boxes = [
            dict(
                id=i, image_id=i, category_id=1 + i % 3, bbox=[20.0, 10.0, 90.0, 70.0], area=6300.0, iscrowd=0
            )
            for i in ids
        ]
        for i in ids:
            draw(root / split / f'{i:012}.jpg', 120, 160, i)
        images = [dict(id=i, file_name=f'{i:012}.jpg', height=120, width=160) for i in ids]
        categories = [dict(id=i + 1, name=name) for i, name in enumerate(coco_classes())]
        path = root / 'annotations' / f'instances_{split}.json'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(dict(images=images, annotations=boxes, categories=categories)))


def coco_classes():
    from mmdet.datasets import CocoDataset

    return CocoDataset.METAINFO['classes']


def write_cityscapes(root):
    for split, count in (('train', 4), ('val', 1)):
        for i in range(count):
            name = f'town_{i:06}_000019'
            draw(root / f'leftImg8bit/{split}/town/{name}_leftImg8bit.png', 64, 128, i)
            labels = np.random.default_rng(i).integers(0, 19, (64, 128), dtype=np.uint8)
            path = root / f'gtFine/{split}/town/{name}_gtFine_labelTrainIds.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), labels)


def write_imagenet(root):
    for split in ('train', 'val'):
        lines = []
        for i, name in enumerate(('n01440764', 'n01443537')):
            draw(root / split / name / f'{i}.JPEG', 80, 100, i)
            lines.append(f'{name}/{i}.JPEG {i}')
        path = root / 'meta' / f'{split}.txt'
        path.parent.mkdir(exist_ok=True)
        path.write_text('\n'.join(lines))


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Small data sets of every layout the configs read, under the names they have in `data/`."""
    root = tmp_path_factory.mktemp('data')
    write_coco(root / 'coco')
    write_cityscapes(root / 'cityscapes')
    write_imagenet(root / 'imagenet')
    write_digit_scenes(root / 'digit_scenes', train=4, val=2, progress=False)
    return root


def small(cfg, data, tmp_path):
    """The config on the small data: one step of training, then validation; nothing of the model is changed."""
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg[name]
        loader.update(batch_size=2, num_workers=0, persistent_workers=False)
        loader.dataset.data_root = loader.dataset.data_root.replace('data/', f'{data}/', 1)
    for name in ('val_evaluator', 'test_evaluator'):
        if 'ann_file' in cfg[name]:
            cfg[name].ann_file = cfg[name].ann_file.replace('data/', f'{data}/', 1)
    if 'cityscapes/' in cfg.data_root and 'digit' not in cfg.data_root:
        train, test = cfg.train_dataloader.dataset.pipeline, cfg.val_dataloader.dataset.pipeline
        train[2].scale, train[3].crop_size, test[1].scale = (128, 64), (64, 128), (128, 64)
        cfg.test_dataloader.dataset.pipeline[1].scale = (128, 64)
        cfg.model.data_preprocessor.size = (64, 128)
    if cfg.default_scope == 'mmdet':
        cfg.model.test_cfg.score_thr = 0.0  # focal scores start at 0.01, below every threshold in use
    if 'max_iters' in cfg.train_cfg:
        cfg.train_cfg.update(max_iters=1, val_interval=1)
    else:
        cfg.train_cfg.update(max_epochs=1, val_interval=1)
    cfg.work_dir = str(tmp_path)
    return cfg


@pytest.mark.parametrize('leaf', LEAVES)
def test_leaf_is_short_and_says_what_it_is(leaf):
    lines = (ROOT / leaf).read_text().splitlines()
    assert len(lines) <= 15
    assert lines[0].startswith('# ')


@pytest.mark.parametrize('leaf', LEAVES)
def test_stated_parameters_are_the_counted_ones(leaf, monkeypatch):
    monkeypatch.delenv('ATTENTION', raising=False)
    counted = count_parameters(build_model(load_config(ROOT / leaf)))
    assert LISTED[leaf]['Metadata']['Parameters'] == counted
    if leaf in PUBLISHED:
        header = ' '.join(line for line in (ROOT / leaf).read_text().splitlines() if line.startswith('#'))
        assert f'Counted: {counted:,}' in header


@pytest.mark.parametrize('leaf', PUBLISHED)
def test_published_row_is_stated_alike_in_header_and_index(leaf):
    header = ' '.join(
        line.removeprefix('# ') for line in (ROOT / leaf).read_text().splitlines() if line.startswith('#')
    )
    published = LISTED[leaf]['Published']
    (number,) = published['Metrics'].values()
    assert f'Published: {number}' in header
    commit = re.search(r'commit (\w+)', published['Source'])
    assert (commit or re.search(r'mmpretrain 1\.2', published['Source'])).group(0) in header
    assert 'hardware' in header.lower() or 'GPUs' in header


@pytest.mark.parametrize('leaf', PUBLISHED)
def test_name_states_the_batch(leaf):
    cfg = load_config(ROOT / leaf)
    gpus, batch = map(int, re.search(r'_(\d+)xb(\d+)', leaf).groups())
    assert cfg.train_dataloader.batch_size == batch
    assert cfg.auto_scale_lr.base_batch_size == gpus * batch == LISTED[leaf]['Metadata']['Batch Size']


def test_index_lists_every_leaf_and_nothing_else():
    assert sorted(LISTED) == LEAVES
    for config, model in LISTED.items():
        assert model['Name'] == Path(config).stem
        assert model['Results'][0]['Metrics'] is not None and 'Published' in model


@pytest.mark.parametrize('leaf', LEAVES)
def test_leaf_takes_a_step_and_predicts(leaf, data, tmp_path):
    cfg = small(load_config(ROOT / leaf), data, tmp_path)
    prepare(cfg)
    runner = Runner.from_cfg(cfg)
    before = {name: value.clone() for name, value in runner.model.named_parameters()}
    runner.train()
    after = dict(runner.model.named_parameters())
    assert all(value.isfinite().all() for value in after.values())
    assert sum(not value.equal(before[name]) for name, value in after.items()) > 0.5 * len(after)
    metrics = runner.val_loop.run()
    assert metrics and all(np.isfinite(value) for value in metrics.values())


@pytest.mark.parametrize('leaf', [leaf for leaf in PUBLISHED if '-ca_' in leaf or '-se_' in leaf])
def test_leaf_with_a_layer_is_the_plain_one_and_the_layer(leaf):
    """So the pair compares the layer alone: the same place, data, schedule and loss."""
    preset = re.search(r'-(ca|se)_', leaf)[1]
    plain = ROOT / leaf.replace(f'-{preset}_', '_')
    assert load_config(ROOT / leaf).to_dict() == load_config(plain, attention=preset).to_dict()
    assert load_config(plain).attention == []


def test_configs_name_nothing_on_the_network():
    for path in (ROOT / 'configs').rglob('*.py'):
        code = '\n'.join(line for line in path.read_text().splitlines() if not line.startswith('#'))
        assert '://' not in code, path
