"""The table of public data sets: every base file of ours reads what it lists."""

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS, init_default_scope

from attn_plugins.datasets.built import innermost
from attn_plugins.datasets.check import LOADERS
from attn_plugins.datasets.known import KNOWN
from attn_plugins.datasets.sources import type_name
from attn_plugins.mim import CONFIGS
from attn_plugins.training.library import register
from tests.datasets.trees import BYTE_FILES, small_images, write_cifar

BASES = sorted(
    path for path in (CONFIGS / '_base_' / 'datasets').glob('*.py') if not path.name.startswith('digitscenes')
)


def what_is_read(dataset: dict, home: str = '') -> tuple:
    """The class, folder, list and prefixes of a dataset."""
    root = '/'.join(part for part in (home, dataset['data_root'].rstrip('/')) if part)
    return (
        type_name(dataset),
        root,
        dataset.get('ann_file'),
        dataset.get('data_prefix'),
        dataset.get('split'),
    )


@pytest.mark.parametrize('path', BASES, ids=lambda path: path.stem)
def test_configs_read_what_the_table_lists(path):
    listed = [what_is_read(split.dataset, known.home) for known in KNOWN.values() for split in known.splits]
    cfg = Config.fromfile(path)
    read = [what_is_read(dataset) for loader in LOADERS for dataset in innermost(cfg[loader].dataset)]
    assert read and all(item in listed for item in read)


@pytest.mark.parametrize('path', BASES, ids=lambda path: path.stem)
def test_no_config_downloads(path):
    """mmpretrain does by default."""
    cfg = Config.fromfile(path)
    read = [dataset for loader in LOADERS for dataset in innermost(cfg[loader].dataset)]
    assert all(dataset.download is False for dataset in read if type_name(dataset) in BYTE_FILES)


@pytest.mark.parametrize('name, kind', [('cifar10', 'CIFAR10'), ('cifar100', 'CIFAR100')])
def test_the_images_of_cifar_are_normalised_as_they_are_read(name, kind, tmp_path, monkeypatch, any_md5):
    """RGB, with the mean and deviation of R, G and B, which modules.md 4.1 gives as shares of 255."""
    register('mmpretrain')
    init_default_scope('mmpretrain')
    monkeypatch.chdir(tmp_path)
    write_cifar(tmp_path / 'data' / name, kind)
    rgb, labels = small_images(4, 32)
    rgb = rgb[..., ::-1].astype(np.float32)
    shares = np.array([[0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.2010]], np.float32)
    wanted = ((rgb / 255 - shares[0]) / shares[1]).transpose(0, 3, 1, 2)
    cfg = Config.fromfile(BASES[0].parent / f'{name}_noaug.py')
    preprocess = MODELS.build(dict(cfg.data_preprocessor, type='ClsDataPreprocessor'))
    for loader in LOADERS:
        dataset = DATASETS.build(cfg[loader].dataset)
        assert len(dataset) == (20 if (kind, loader) == ('CIFAR10', 'train_dataloader') else 4)
        items = [dataset[i] for i in range(4)]
        images = preprocess(dict(inputs=[item['inputs'] for item in items]))['inputs']
        assert np.allclose(images.numpy(), wanted, atol=1e-4)
        assert [int(item['data_samples'].gt_label) for item in items] == labels
    augmented = DATASETS.build(Config.fromfile(BASES[0].parent / f'{name}.py').train_dataloader.dataset)
    seen = {augmented[0]['inputs'].numpy().tobytes() for _ in range(20)}
    assert len(seen) > 10 and augmented[0]['inputs'].shape == (3, 32, 32)


def test_attention_transfer_pads_cifar_with_reflections(tmp_path, monkeypatch, any_md5):
    """Each training image is one of the 81 crops of the padded image or its mirror image, with the authors' mean and
    deviation.
    """
    register('mmpretrain')
    init_default_scope('mmpretrain')
    monkeypatch.chdir(tmp_path)
    write_cifar(tmp_path / 'data' / 'cifar10', 'CIFAR10')
    cfg = Config.fromfile(BASES[0].parent / 'cifar10_reflect.py')
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    image = small_images(1, 32)[0][0][..., ::-1].transpose(2, 0, 1)
    padded = np.pad(image, ((0, 0), (4, 4), (4, 4)), mode='reflect')
    crops = {(y, x): padded[:, y : y + 32, x : x + 32].tobytes() for y in range(9) for x in range(9)}
    np.random.seed(0)
    seen = [dataset[0]['inputs'].numpy() for _ in range(1000)]
    found = [
        [key for key, crop in crops.items() if crop in (y.tobytes(), y[..., ::-1].tobytes())] for y in seen
    ]
    assert {key for keys in found for key in keys} == set(crops) and all(found)
    preprocess = MODELS.build(dict(cfg.data_preprocessor, type='ClsDataPreprocessor'))
    (tested,) = preprocess(dict(inputs=[DATASETS.build(cfg.test_dataloader.dataset)[0]['inputs']]))['inputs']
    mean, std = np.array([125.3, 123.0, 113.9]), np.array([63.0, 62.1, 66.7])
    wanted = (image - mean[:, None, None]) / std[:, None, None]
    assert np.allclose(tested.numpy(), wanted, atol=1e-4)


def test_published_numbers():
    images = {(name, split.name): split.images for name, known in KNOWN.items() for split in known.splits}
    # mmseg's voc_aug.py expects 10582 names in trainaug.txt, which are train and aug.
    assert images['voc12aug', 'train'] + images['voc12aug', 'aug'] == 10582
    assert images['coco', 'train2017'] + images['coco', 'val2017'] == 123287
    # VOC 2007 has 9963 images.
    assert images['voc', 'VOC2007 trainval'] + images['voc', 'VOC2007 test'] == 9963
