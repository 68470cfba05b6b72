"""Knows the public data sets that our configs read: their folders, lists, and published numbers of images."""

from dataclasses import dataclass
from pathlib import Path

from attn_plugins.datasets.check import inspect_dataset
from attn_plugins.datasets.survey import DatasetCheck


@dataclass(frozen=True)
class Split:
    """One list or folder of a data set: its name, the config that reads it, and the published number of its images."""

    name: str
    dataset: dict
    images: int


@dataclass(frozen=True)
class Known:
    """A data set: the folder where configs expect it, the publisher of the numbers of its images, and its splits.

    A split's `data_root` is below that folder.
    """

    home: str
    source: str
    splits: tuple[Split, ...]


def _coco(split: str) -> dict:
    return dict(
        type='mmdet.CocoDataset',
        data_root='',
        ann_file=f'annotations/instances_{split}.json',
        data_prefix=dict(img=f'{split}/'),
    )


def _voc_boxes(year: str, split: str) -> dict:
    return dict(
        type='mmdet.VOCDataset',
        data_root='',
        ann_file=f'{year}/ImageSets/Main/{split}.txt',
        data_prefix=dict(sub_data_root=f'{year}/'),
    )


def _voc_masks(split: str, folder: str = 'SegmentationClass') -> dict:
    return dict(
        type='mmseg.PascalVOCDataset',
        data_root='VOC2012',
        ann_file=f'ImageSets/Segmentation/{split}.txt',
        data_prefix=dict(img_path='JPEGImages', seg_map_path=folder),
    )


def _cityscapes(split: str) -> dict:
    folders = dict(img_path=f'leftImg8bit/{split}', seg_map_path=f'gtFine/{split}')
    return dict(type='mmseg.CityscapesDataset', data_root='', data_prefix=folders)


def _by_split(kind: str, split: str) -> dict:
    # mmpretrain's MNIST reads the test images if test_mode says so, whatever the split.
    return dict(type=f'mmpretrain.{kind}', data_root='', split=split, test_mode=split == 'test')


def _train_and_test(kind: str, source: str, train: int) -> Known:
    """Describes CIFAR or MNIST, each with 10,000 test images."""
    folder = dict(FashionMNIST='fashion_mnist').get(kind, kind.lower())
    splits = tuple(
        Split(name, dict(_by_split(kind, name), download=False), n)
        for name, n in (('train', train), ('test', 10000))
    )
    return Known(f'data/{folder}', source, splits)


KNOWN = {
    'coco': Known(
        'data/coco',
        'cocodataset.org',
        (Split('train2017', _coco('train2017'), 118287), Split('val2017', _coco('val2017'), 5000)),
    ),
    'voc': Known(
        'data/VOCdevkit',
        'host.robots.ox.ac.uk/pascal/VOC, dbstats of 2007 and 2012',
        (
            Split('VOC2007 trainval', _voc_boxes('VOC2007', 'trainval'), 5011),
            Split('VOC2007 test', _voc_boxes('VOC2007', 'test'), 4952),
            Split('VOC2012 trainval', _voc_boxes('VOC2012', 'trainval'), 11540),
        ),
    ),
    'voc12aug': Known(
        'data/VOCdevkit',
        "host.robots.ox.ac.uk/pascal/VOC, dbstats of 2012; the SBD's by mmseg's voc_aug.py",
        (
            Split('train', _voc_masks('train'), 1464),
            Split('aug', _voc_masks('aug', 'SegmentationClassAug'), 9118),
            Split('val', _voc_masks('val'), 1449),
        ),
    ),
    'cityscapes': Known(
        'data/cityscapes',
        'cityscapes-dataset.com/dataset-overview',
        (Split('train', _cityscapes('train'), 2975), Split('val', _cityscapes('val'), 500)),
    ),
    'imagenet': Known(
        'data/imagenet',
        'image-net.org/challenges/LSVRC/2012',
        (
            Split('train', _by_split('ImageNet', 'train'), 1281167),
            Split('val', _by_split('ImageNet', 'val'), 50000),
        ),
    ),
    'cifar10': _train_and_test('CIFAR10', 'cs.toronto.edu/~kriz/cifar.html', 50000),
    'cifar100': _train_and_test('CIFAR100', 'cs.toronto.edu/~kriz/cifar.html', 50000),
    'mnist': _train_and_test('MNIST', 'yann.lecun.com/exdb/mnist', 60000),
    'fashion_mnist': _train_and_test('FashionMNIST', 'github.com/zalandoresearch/fashion-mnist', 60000),
}


def inspect_known(name: str, root: str | Path | None = None) -> list[DatasetCheck]:
    """Checks every split of a public data set, as those of a config, and counts its images.

    Args:
        name (str): A key of `KNOWN`.
        root (str or Path, optional): The data set's folder, by default where our configs expect it.

    Returns:
        list[DatasetCheck]: One per split. A number that differs from the published one is a fault of an otherwise
            complete split.
    """
    known = KNOWN[name]
    checks = []
    for split in known.splits:
        home = Path(root or known.home, split.dataset['data_root'])
        (check,) = inspect_dataset(split.name, dict(split.dataset, data_root=str(home)))
        count = len(check.dataset) if check.dataset is not None and not check.faults else split.images
        if count != split.images:
            check.faults.append(f'{check.content}, not the published {split.images} ({known.source})')
        checks.append(check)
    return checks
