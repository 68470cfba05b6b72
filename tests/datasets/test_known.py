"""The table of public data sets: every base file of ours reads what it lists."""

import pytest
from mmengine.config import Config

from attn_plugins.datasets.check import LOADERS, innermost
from attn_plugins.datasets.known import KNOWN
from attn_plugins.datasets.sources import type_name
from attn_plugins.mim import CONFIGS

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


def test_published_numbers():
    images = {(name, split.name): split.images for name, known in KNOWN.items() for split in known.splits}
    # mmseg's voc_aug.py expects 10582 names in trainaug.txt, which are train and aug.
    assert images['voc12aug', 'train'] + images['voc12aug', 'aug'] == 10582
    assert images['coco', 'train2017'] + images['coco', 'val2017'] == 123287
    # VOC 2007 has 9963 images.
    assert images['voc', 'VOC2007 trainval'] + images['voc', 'VOC2007 test'] == 9963
