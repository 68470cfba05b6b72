"""The check of data: what a dataset's own class loads is accepted, and what it cannot load is one sentence."""

import json
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS

from attn_plugins.datasets.check import check_data, inspect_data
from attn_plugins.datasets.digit_scenes import write_digit_scenes
from attn_plugins.errors import UserError
from attn_plugins.training.config import load_config
from attn_plugins.training.library import register
from tests.datasets.trees import (
    write_cifar,
    write_cityscapes,
    write_coco,
    write_image,
    write_imagenet,
    write_voc,
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(dataset: dict, loader: str = 'train_dataloader') -> list[str]:
    """The sentences of one dataset's faults."""
    cfg = Config({loader: dict(dataset=dataset)})
    return [fault for found in inspect_data(cfg) for fault in found.faults]


def warned(dataset: dict) -> list[str]:
    cfg = Config(dict(train_dataloader=dict(dataset=dataset)))
    return [text for found in inspect_data(cfg) for text in found.warnings]


COCO = dict(
    type='mmdet.CocoDataset',
    data_root='data/coco/',
    ann_file='annotations/instances_train2017.json',
    data_prefix=dict(img='train2017/'),
)
VOC_BOXES = dict(
    type='mmdet.VOCDataset',
    data_root='data/VOCdevkit/',
    ann_file='VOC2007/ImageSets/Main/trainval.txt',
    data_prefix=dict(sub_data_root='VOC2007/'),
)
VOC_MASKS = dict(
    type='mmseg.PascalVOCDataset',
    data_root='data/VOCdevkit/VOC2012',
    ann_file='ImageSets/Segmentation/aug.txt',
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassAug'),
)
VOC_MASKS_2012 = dict(img_path='JPEGImages', seg_map_path='SegmentationClass')
CITYSCAPES = dict(
    type='mmseg.CityscapesDataset',
    data_root='data/cityscapes/',
    data_prefix=dict(img_path='leftImg8bit/train', seg_map_path='gtFine/train'),
)
FOLDERS = dict(type='mmpretrain.CustomDataset', data_root='mine', data_prefix='train')
MASKS = dict(
    type='mmseg.BaseSegDataset',
    data_root='mine',
    data_prefix=dict(img_path='images', seg_map_path='masks'),
    metainfo=dict(classes=('a', 'b'), palette=[[0] * 3, [9] * 3]),
)
LOAD = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]


def put_images(*names: str) -> None:
    for i, name in enumerate(names):
        write_image(Path(name), i)


@pytest.mark.parametrize(
    'dataset, length',
    [
        (COCO, 4),
        (dict(CITYSCAPES, data_prefix=dict(img_path='leftImg8bit/val', seg_map_path='gtFine/val')), 2),
        (dict(type='mmpretrain.ImageNet', data_root='data/imagenet', split='val'), 1000),
        (VOC_BOXES, 4),
        (
            dict(
                VOC_BOXES,
                ann_file='VOC2012/ImageSets/Main/trainval.txt',
                data_prefix=dict(sub_data_root='VOC2012/'),
            ),
            4,
        ),
        (VOC_MASKS, 2),
        (dict(VOC_MASKS, ann_file='ImageSets/Segmentation/val.txt', data_prefix=VOC_MASKS_2012), 2),
        (
            dict(type='mmpretrain.CustomDataset', data_root='data/digit_scenes/classes', data_prefix='val'),
            None,
        ),
    ],
    ids=lambda value: value['type'] if isinstance(value, dict) else '',
)
def test_what_is_whole_is_what_the_libraries_read(dataset, length, data_trees, monkeypatch):
    """The dataset class finds every sample, and every file of it, in a tree that the check calls whole."""
    monkeypatch.chdir(data_trees.parent)
    assert check(dataset) == []
    register(dataset['type'].partition('.')[0])
    built = DATASETS.build(dict(dataset, pipeline=[]))
    samples = [built.get_data_info(i) for i in range(len(built))]
    assert len(samples) == (length or sum(1 for _ in Path('data/digit_scenes/classes/val').glob('*/*.png')))
    for sample in samples:
        assert Path(sample['img_path']).is_file() and Path(sample.get('seg_map_path') or '.').exists()
        assert sample.get('instances') != []


def test_coco():
    assert check(COCO) == [
        'the folder data/coco is missing (. holds nothing): get train2017.zip, val2017.zip and '
        'annotations_trainval2017.zip from cocodataset.org/#download and unpack them into data/coco'
    ]
    write_coco(Path('data/coco'))
    assert check(COCO) == []
    path = Path('data/coco/annotations/instances_train2017.json')
    text = path.read_text()
    path.write_text(text[:-30])
    assert check(COCO)[0].startswith(f'{path} cannot be loaded by CocoDataset (JSONDecodeError: ')
    path.write_text(text)
    Path('data/coco/train2017/000000000002.jpg').unlink()
    assert check(COCO)[0].startswith(
        '1 of the 4 files that it lists as img_path are missing (first: data/coco/train2017/000000000002.jpg) '
        '(data/coco/train2017 holds 3 *.jpg): get train2017.zip'
    )
    path.unlink()
    assert check(COCO)[0].startswith(
        f'the file {path} is missing (data/coco/annotations holds 1 *.json): get '
    )


def test_data_of_ones_own_are_not_taken_for_a_public_set():
    """COCO's format is everybody's; the sentence names the key, what lies there and the nearest name."""
    put_images('mine/train/a.jpg')
    images = [dict(id=1, file_name='a.jpg', width=128, height=96)]
    boxes = [dict(id=1, image_id=1, category_id=1, bbox=[1, 1, 20, 20], area=400, iscrowd=0)]
    coco = dict(images=images, annotations=boxes, categories=[dict(id=1, name='ship')])
    Path('mine/train.json').write_text(json.dumps(coco))
    mine = dict(COCO, data_root='mine', ann_file='train.json', data_prefix=dict(img='train'))
    mine['metainfo'] = dict(classes=('ship',))
    assert check(mine) == []
    (sentence,) = check(dict(mine, ann_file='trainn.json'))
    assert sentence == (
        'the file mine/trainn.json is missing (mine holds train/, 1 *.json): did you mean '
        f'{Path("mine/train.json").absolute()}? set data_root and ann_file and data_prefix of CocoDataset to '
        'where its files are, relative to this folder'
    )
    (sentence,) = check(dict(mine, data_root='Mine'))
    assert sentence == (
        'the folder Mine is missing (. holds mine/): it stands in mine: move it, or set data_root of '
        'CocoDataset to mine'
    )


def test_within_other_datasets_and_once_for_every_loader():
    nested = dict(
        type='RepeatDataset',
        times=5,
        dataset=dict(type='ConcatDataset', datasets=[COCO, dict(COCO, data_root='x/')]),
    )
    Path('run.py').write_text(
        f'train_dataloader = dict(dataset={nested})\nval_dataloader = dict(dataset={COCO})\ntest_dataloader = None\n'
    )
    cfg = Config.fromfile('run.py')
    assert [found.key for found in inspect_data(cfg)] == [
        'train_dataloader.dataset.dataset.datasets.0',
        'train_dataloader.dataset.dataset.datasets.1',
        'val_dataloader.dataset',
    ]
    with pytest.raises(UserError) as error:
        check_data(cfg)
    first = check(COCO)[0]
    assert str(error.value) == (
        f'train_dataloader.dataset.dataset.datasets.0: {first} (and 2 more: see `python tools/check_data.py run.py`)'
    )
    with pytest.raises(UserError) as error:
        check_data(cfg, ('val_dataloader',))
    assert str(error.value) == f'val_dataloader.dataset: {first}'
    check_data(cfg, ('test_dataloader',))


def test_a_new_style_config_with_classes_for_types():
    from mmpretrain.datasets import ImageNet

    put_images('data/imagenet/val/n01/1.JPEG')
    (sentence,) = check(dict(type=ImageNet, data_root='data/imagenet', split='val'))
    assert "number of subfolders (1) doesn't match the number of specified classes (1000)" in sentence
    assert sentence.endswith('get ILSVRC2012 from image-net.org/download and sort its images into '
                             'data/imagenet/train/<class> and data/imagenet/val/<class>')  # fmt: skip


def test_voc_boxes():
    assert 'unpack them so that data/VOCdevkit holds VOC2007 and VOC2012' in check(VOC_BOXES)[0]
    write_voc(Path('data/VOCdevkit'))
    path = Path('data/VOCdevkit/VOC2007/Annotations/2007_trainval_000001.xml')
    text = path.read_text()
    path.write_text(text[:-20])
    assert check(VOC_BOXES)[0].startswith(
        f'{path} cannot be loaded by VOCDataset (ParseError: unclosed token'
    )
    path.unlink()
    assert check(VOC_BOXES)[0].startswith(f'the file {path} is missing')
    path.write_text(text)
    Path('data/VOCdevkit/VOC2007/JPEGImages/2007_trainval_000002.jpg').unlink()
    assert check(VOC_BOXES)[0].startswith('1 of the 4 files that it lists as img_path are missing (first: ')


def test_voc_masks_with_the_added_annotations():
    sentence = check(VOC_MASKS)[0]
    assert 'get the SBD (benchmark.tgz)' in sentence
    command = sentence.rpartition('`python ')[2].split()
    assert Path(command[0]).is_file() and command[0].endswith(
        'mmseg/.mim/tools/dataset_converters/voc_aug.py'
    )
    write_voc(Path('data/VOCdevkit'))
    assert check(VOC_MASKS) == []
    Path('data/VOCdevkit/VOC2012/SegmentationClassAug').rename('aside')
    assert check(VOC_MASKS)[0].startswith(
        '2 of the 2 files that it lists as seg_map_path are missing (first: '
        'data/VOCdevkit/VOC2012/SegmentationClassAug/'
    )


def test_cityscapes():
    write_cityscapes(Path('data/cityscapes'))
    assert check(CITYSCAPES) == []
    for path in Path('data/cityscapes/leftImg8bit/train').rglob('*.png'):
        path.rename(path.with_suffix('.jpg'))
    (sentence,) = check(CITYSCAPES)
    assert sentence.startswith(
        'the folder data/cityscapes/leftImg8bit/train holds no image *_leftImg8bit.png ('
    )


def test_imagenet_by_split():
    """As our ImageNet config names it: the split is the folder, its list is in meta/."""
    write_imagenet(Path('data/imagenet'))
    train = dict(type='mmpretrain.ImageNet', data_root='data/imagenet', split='train')
    assert check(train) == check(dict(train, split='val')) == []
    # As mmpretrain's maintainers advise: a class without images has an empty folder.
    next(Path('data/imagenet/train/n00000007').iterdir()).unlink()
    assert check(train) == []
    assert warned(train) == ['no image has anything of 1 of its 1000 classes: cock']
    Path('data/imagenet/meta').mkdir()
    Path('data/imagenet/meta/val.txt').write_text('n00000001/n00000001_1.JPEG 1\nn00000001/2 b.JPEG 1\n')
    assert check(dict(train, split='val'))[0].startswith(
        '1 of the 2 files that it lists as img_path are missing'
    )
    put_images('data/imagenet/test/1.JPEG')
    assert check(dict(train, split='test')) == []


def test_lists_with_spaces_in_their_names():
    put_images('mine/train/no 1 left.png', 'mine/train/no 2 left.png')
    Path('mine/train.txt').write_text('no 1 left.png 0\nno 2 left.png 1\n')
    mine = dict(FOLDERS, ann_file='train.txt', metainfo=dict(classes=('a', 'b')))
    assert check(mine) == []
    Path('mine/train.txt').write_text('no 1 left.png 0\nno 2 left.png 2\n')
    assert check(mine)[0].startswith('1 labels are 2, and there are 2 classes, numbered from 0')


def test_an_empty_class_folder_is_no_fault_and_is_said():
    put_images('mine/train/a/1.png', 'mine/train/c/1.png')
    Path('mine/train/b').mkdir()
    assert check(FOLDERS) == []
    assert warned(FOLDERS) == ['no image has anything of 1 of its 3 classes: b']


def test_suffixes_are_those_of_the_class():
    """mmseg's DRIVE has images of another suffix than the base class, which no config repeats."""
    for i in range(2):
        put_images(f'mine/images/{i}.png')
        Path('mine/masks').mkdir(exist_ok=True)
        cv2.imwrite(f'mine/masks/{i}_manual1.png', np.eye(96, 128, dtype=np.uint8))
    drive = dict(
        type='mmseg.DRIVEDataset', data_root='mine', data_prefix=dict(img_path='images', seg_map_path='masks')
    )
    assert check(drive) == check(dict(drive, pipeline=LOAD)) == []
    assert check(dict(drive, type='mmseg.PascalVOCDataset', ann_file='')) != []


def test_test_images_without_masks_that_nothing_loads():
    """mmseg lists a mask for every image; a pipeline without LoadAnnotations asks for none."""
    put_images('mine/images/1.jpg')
    test = dict(MASKS, test_mode=True)
    assert check(dict(test, pipeline=LOAD[:1]), 'test_dataloader') == []
    (sentence,) = check(dict(test, pipeline=LOAD), 'test_dataloader')
    assert sentence.startswith(
        '1 of the 1 files that it lists as seg_map_path are missing (first: mine/masks/1.png)'
    )


@pytest.mark.parametrize('name', ['CIFAR10', 'CIFAR100'])
def test_cifar(name):
    home = Path('data', name.lower())
    cifar = dict(type=f'mmpretrain.{name}', data_root=str(home), split='train', download=False)
    write_cifar(home, name)
    first = (
        sorted(home.rglob('*train*'), key=str)[0]
        if name == 'CIFAR100'
        else home / 'cifar-10-batches-py/data_batch_1'
    )
    assert check(cifar)[0].startswith(f'{first} is not the published file: its MD5 sum is not ')
    first.unlink()
    (sentence,) = check(cifar)
    assert sentence.startswith(f'the file {first} is missing')
    assert sentence.endswith(f'from www.cs.toronto.edu/~kriz/cifar.html and unpack it into {home}')


def test_digit_scenes_of_any_size_are_whole_as_they_were_written(folder):
    dataset = dict(
        type='mmpretrain.CustomDataset', data_root='elsewhere/digit_scenes/classes/', data_prefix='train'
    )
    assert check(dataset) == [
        'the folder elsewhere/digit_scenes/classes is missing (. holds nothing): run `python '
        'tools/make_digit_scenes.py --root elsewhere/digit_scenes`, which writes the whole set'
    ]
    assert check(dict(dataset, data_root='data/digit_scenes_700/classes/')) == [
        'the folder data/digit_scenes_700/classes is missing (. holds nothing): run `python tools/make_digit_scenes.py '
        '--root data/digit_scenes_700 --train 700`, which writes the whole set'
    ]
    (sentence,) = check(dict(dataset, data_root='data/digit_scenes_700_64px/classes/'))
    assert '--root data/digit_scenes_700_64px --train 700 --size 64`' in sentence
    (sentence,) = check(dict(dataset, data_root='data/digit_scenes_700_90_64px/classes/'))
    assert '--root data/digit_scenes_700_90_64px --train 700 --val 90 --size 64`' in sentence
    write_digit_scenes(
        'elsewhere/digit_scenes', train=1, val=1, size=64, progress=False
    )  # most digits do not occur
    assert check(dataset) == []


def test_files_that_opencv_cannot_read():
    """Pillow can: what counts is what training reads with."""
    put_images('mine/train/a/1.png', 'mine/train/b/1.png')
    depth = 'mine/train/b/0.tif'
    from PIL import Image

    Image.fromarray(np.random.default_rng(0).random((48, 48)).astype(np.float32)).save(depth)
    (sentence,) = check(dict(FOLDERS, pipeline=LOAD[:1]))
    assert sentence == (
        f'{depth} cannot be loaded by LoadImageFromFile (AssertionError: failed to load image: {depth})'
    )


def test_masks_that_are_pictures():
    put_images('mine/images/1.jpg', 'mine/masks/1.png')
    mine = dict(MASKS, pipeline=LOAD)
    assert check(mine)[0].startswith('mine/masks/1.png is no mask of class numbers: it has 3 channels')
    cv2.imwrite('mine/masks/1.png', np.full((96, 128), 7, np.uint8))
    assert check(mine)[0].startswith(
        'mine/masks/1.png has the value 7, which is neither below 2 nor 255, the ignore_index'
    )


def test_a_transform_that_fails_is_said_before_the_first_batch():
    put_images('mine/train/a/1.png')
    pipeline = [*LOAD[:1], dict(type='Resize', scale=(0, 0)), dict(type='PackInputs')]
    (sentence,) = check(dict(FOLDERS, pipeline=pipeline))
    assert sentence.startswith('mine/train/a/1.png cannot be loaded by Resize (')


def test_options_that_a_class_does_not_have():
    put_images('mine/train/a/1.png')
    assert 'img_sufix' in check(dict(FOLDERS, img_sufix='.tif'))[0]
    assert check(dict(FOLDERS, type='mmpretrain.CustomDatasset'))[0].startswith(
        "the config names an unknown dataset 'mmpretrain.CustomDatasset': did you mean mmpretrain.CustomDataset"
    )


@DATASETS.register_module(name='DatasetOfPickles', force=True)
class DatasetOfPickles(BaseDataset):
    """A user's own: images and labels in one file, no paths in its list."""

    def load_data_list(self):
        return pickle.loads(Path(self.ann_file).read_bytes())


def test_a_class_of_ones_own():
    own = dict(type='DatasetOfPickles', data_root='mine', ann_file='all.pkl')
    assert check(own)[0].startswith(
        'the folder mine is missing (. holds nothing): set data_root and ann_file of '
    )
    Path('mine').mkdir()
    Path('mine/all.pkl').write_bytes(pickle.dumps([dict(img=np.zeros((4, 4, 3)), gt_label=0)]))
    assert check(own) == []
    Path('mine/all.pkl').write_bytes(pickle.dumps([]))
    assert check(own)[0].startswith('DatasetOfPickles lists no image: ')


def test_the_check_leaves_the_random_numbers_alone():
    put_images('mine/train/a/1.png')
    pipeline = [*LOAD[:1], dict(type='RandomFlip', prob=0.5), dict(type='RandomCrop', crop_size=8)]
    np.random.seed(0)
    expected = np.random.rand()
    np.random.seed(0)
    assert check(dict(FOLDERS, pipeline=pipeline)) == []
    assert np.random.rand() == expected


def test_foreign_images_that_nothing_draws_are_refused():
    root = Path(__file__).resolve().parents[2]
    cfg = load_config(root / 'configs/resnet/resnet20_digitscenes-mixed.py')
    del cfg.train_dataloader['batch_sampler']
    write_digit_scenes('data/digit_scenes', train=4, val=2, size=64, progress=False)
    with pytest.raises(
        UserError,
        match='^train_dataloader.dataset.foreign: no batch would have any of the foreign images of this Mixed',
    ):
        check_data(cfg)
