"""Data in a wrong place: the sentence names where they are, and its command puts them right."""

import re
import subprocess
from pathlib import Path

import pytest

from attn_plugins.cli.check_data import main
from attn_plugins.mim import CONFIGS
from tests.datasets.trees import (
    write_cityscapes,
    write_cityscapes_polygons,
    write_coco,
    write_imagenet,
    write_voc,
)

BASES = CONFIGS / '_base_' / 'datasets'
VOC, VOC_MASKS = 'voc0712_ssdlite320.py', 'voc12aug_512x512.py'
CITYSCAPES, COCO, IMAGENET = 'cityscapes_512x1024.py', 'coco_ssdlite320.py', 'imagenet_224.py'


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


LIBRARIES = {VOC: 'mmdet', COCO: 'mmdet', VOC_MASKS: 'mmseg', CITYSCAPES: 'mmseg', IMAGENET: 'mmpretrain'}


def check(config: str, capsys) -> str:
    """What the command line says; '' if the data are whole."""
    # A base file names no library: a config does.
    Path('run.py').write_text(f'_base_ = {str(BASES / config)!r}\ndefault_scope = {LIBRARIES[config]!r}\n')
    code = main(['run.py'])
    out = capsys.readouterr().out
    assert code == ('wrong: ' in out)
    return out if code else ''


def move(source: str, target: str) -> None:
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    Path(source).rename(target)


def move_test_apart() -> None:
    """VOC 2007 test as its own archive holds it, unpacked elsewhere."""
    home = Path('data/VOCtest_06-Nov-2007/VOCdevkit/VOC2007')
    for path in sorted(Path('data/VOCdevkit/VOC2007').rglob('*test*.*')):
        move(path, home / path.relative_to('data/VOCdevkit/VOC2007'))


LAYOUTS = {
    'VOC 2007 beside VOCdevkit': (VOC, write_voc, 'VOCdevkit', {'data/VOCdevkit/VOC2007': 'data/VOC2007'}),
    'no VOCdevkit at all': (
        VOC,
        write_voc,
        'VOCdevkit',
        {
            'data/VOCdevkit/VOC2007': 'data/VOC2007',
            'data/VOCdevkit/VOC2012': 'data/VOC2012',
            'data/VOCdevkit': 'aside',
        },
    ),
    "in the archive's own folder": (
        VOC_MASKS,
        write_voc,
        'VOCdevkit',
        {'data/VOCdevkit/VOC2012': 'data/VOCtrainval_11-May-2012/VOCdevkit/VOC2012'},
    ),
    'VOC2012 in VOC2012': (
        VOC_MASKS,
        write_voc,
        'VOCdevkit',
        {'data/VOCdevkit/VOC2012': 'data/VOC', 'data/VOC': 'data/VOCdevkit/VOC2012/VOC2012'},
    ),
    'TrainVal': (VOC, write_voc, 'VOCdevkit', {'data/VOCdevkit': 'data/TrainVal/VOCdevkit'}),
    'VOC 2007 test apart': (VOC, write_voc, 'VOCdevkit', move_test_apart),
    'leftImg8bit_trainvaltest': (
        CITYSCAPES,
        write_cityscapes,
        'cityscapes',
        {
            'data/cityscapes/leftImg8bit': 'data/cityscapes/leftImg8bit_trainvaltest/leftImg8bit',
            'data/cityscapes/gtFine': 'data/gtFine_trainvaltest/gtFine',
        },
    ),
    'images of COCO in images': (
        COCO,
        write_coco,
        'coco',
        {f'data/coco/{split}2017': f'data/coco/images/{split}2017' for split in ('train', 'val')},
    ),
    'COCO in COCO': (COCO, write_coco, 'coco', {'data/coco': 'data/x', 'data/x': 'data/coco/coco'}),
    'ImageNet one level too deep': (
        IMAGENET,
        write_imagenet,
        'imagenet',
        {'data/imagenet/train': 'data/x', 'data/x': 'data/imagenet/train/train'},
    ),
    'ImageNet as Kaggle packs it': (
        IMAGENET,
        write_imagenet,
        'imagenet',
        {
            f'data/imagenet/{split}': f'data/imagenet/ILSVRC/Data/CLS-LOC/{split}'
            for split in ('train', 'val')
        },
    ),
}


STANDS = {
    'VOC 2007 beside VOCdevkit': 'it stands in data: move it, or set data_root of VOCDataset to data',
    'no VOCdevkit at all': 'it stands in data: move it, or set data_root of VOCDataset to data',
    "in the archive's own folder": 'it stands in data/VOCtrainval_11-May-2012/VOCdevkit/VOC2012: move it, or set ',
    'VOC2012 in VOC2012': 'it stands in data/VOCdevkit/VOC2012/VOC2012: move it, or set data_root of '
    'PascalVOCDataset to ',
    'TrainVal': 'it stands in data/TrainVal/VOCdevkit: move it, or set data_root of VOCDataset to ',
    'VOC 2007 test apart': 'it stands in data/VOCtest_06-Nov-2007/VOCdevkit: move it, or set data_root '
    'of VOCDataset to ',
    'leftImg8bit_trainvaltest': 'it stands in data/cityscapes/leftImg8bit_trainvaltest: move it, or set data_root of ',
    'images of COCO in images': 'it stands in data/coco/images: move it, or set data_root of CocoDataset '
    'to data/coco/images',
    'COCO in COCO': 'it stands in data/coco/coco: move it, or set data_root of CocoDataset to data/coco/coco',
    'ImageNet one level too deep': 'its class folders stand one level too deep, in '
    'data/imagenet/train/train: move them up',
    'ImageNet as Kaggle packs it': 'it stands in data/imagenet/ILSVRC/Data/CLS-LOC: move it, or set '
    'data_root of ImageNet ',
}


@pytest.mark.parametrize('name', LAYOUTS)
def test_the_folder_that_is_named_is_where_it_stands(name, capsys):
    config, write, home, moves = LAYOUTS[name]
    write(Path('data', home))
    assert check(config, capsys) == ''
    if callable(moves):
        moves()
    else:
        for source, target in moves.items():
            move(source, target)
    assert STANDS[name] in check(config, capsys)


def test_cityscapes_that_are_not_converted(capsys):
    write_cityscapes_polygons(Path('data/cityscapes'))
    said = check(CITYSCAPES, capsys)
    commands = re.findall(
        r'so run `pip install cityscapesscripts && python (\S+) data/cityscapes/ --nproc 8`', said
    )
    assert said.count('the polygons that it is drawn from are there') == len(commands) == 2
    assert Path(commands[0]).is_file()
    for path in Path('data').rglob('*_polygons.json'):
        path.rename(path.with_name(path.name.replace('polygons.json', 'labelIds.png')))
    assert check(CITYSCAPES, capsys).count('`pip install cityscapesscripts && python ') == 2


def test_imagenet_without_class_folders(capsys):
    write_imagenet(Path('data/imagenet'))
    for i, path in enumerate(sorted(Path('data/imagenet/val').glob('*/*.JPEG'))):
        path.rename(f'data/imagenet/val/ILSVRC2012_val_{i:08}.JPEG')
        path.parent.rmdir()
    said = check(IMAGENET, capsys)
    assert 'data/imagenet/val holds images without class folders: unpack ' in said
    assert 'caffe_ilsvrc12.tar.gz into data/imagenet/meta, where mmpretrain reads the labels' in said
    # The list gives the labels, and mmpretrain reads the images as they are.
    names = sorted(path.name for path in Path('data/imagenet/val').iterdir())
    Path('data/imagenet/meta').mkdir()
    Path('data/imagenet/meta/val.txt').write_text(''.join(f'{name} {i}\n' for i, name in enumerate(names)))
    assert check(IMAGENET, capsys) == ''


def test_imagenet_of_tar_files(capsys):
    write_imagenet(Path('data/imagenet'))
    for path in sorted(Path('data/imagenet/train').iterdir())[:3]:
        subprocess.run(['tar', '-cf', f'{path}.tar', '-C', str(path), '.'], check=True)
        subprocess.run(['rm', '-r', str(path)], check=True)
    said = check(IMAGENET, capsys)
    assert (
        "The number of subfolders (997) doesn't match the number of specified classes (1000). Please check the "
        'data folder.): '
        '3 tar files in data/imagenet/train are not unpacked: run `' in said
    )
    subprocess.run(['bash', '-c', re.search(r'run `(.+)`', said)[1]], check=True)
    assert check(IMAGENET, capsys) == ''


def test_folders_with_everybodys_names_are_not_taken_from_others(capsys):
    """`train` of another data set is not offered as ImageNet's."""
    write_imagenet(Path('data/other'))
    Path('data/imagenet').mkdir()
    said = check(IMAGENET, capsys)
    assert 'get ILSVRC2012' in said and 'data/other' not in said
    write_cityscapes(Path('data/digit_scenes/cityscapes'))
    write_voc(Path('data/digit_scenes/VOCdevkit'))
    write_cityscapes(Path('data/foggy/cityscapes'))
    for config in (CITYSCAPES, VOC, VOC_MASKS):
        assert 'stands in' not in check(config, capsys)
