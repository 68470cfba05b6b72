"""check_data: every layout of data that the configs read, whole, absent and half there."""

import json
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS

from attn_plugins.datasets.check import check_data, inspect_data
from attn_plugins.engine.config import load_config
from attn_plugins.engine.library import register
from attn_plugins.errors import UserError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(folder, *names: str, text: str = 'x'):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def check(dataset: dict) -> list[str]:
    """The sentences of one dataset's faults."""
    cfg = Config(dict(train_dataloader=dict(dataset=dataset)))
    return [sentence for found in inspect_data(cfg) for sentence in found.sentences]


COCO = dict(
    type='mmdet.CocoDataset',
    data_root='data/coco/',
    ann_file='annotations/train.json',
    data_prefix=dict(img='train/'),
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


def test_coco(folder):
    assert check(COCO) == [
        'the folder data/coco is missing: get train2017.zip, val2017.zip and '
        'annotations_trainval2017.zip from cocodataset.org/#download and unpack them into data/coco'
    ]
    put(folder, 'data/coco/train/a.jpg', 'data/coco/train/b c.jpg')
    assert check(COCO)[0].startswith('the annotation file data/coco/annotations/train.json is missing: get ')
    images = [dict(id=i, file_name=name) for i, name in enumerate(('a.jpg', 'b c.jpg'))]
    text = json.dumps(dict(images=images, annotations=[], categories=[]))
    put(folder, 'data/coco/annotations/train.json', text=text)
    assert check(COCO) == []
    put(folder, 'data/coco/annotations/train.json', text=text[:-30])
    assert check(COCO)[0].startswith('the annotation file data/coco/annotations/train.json is cut short: ')
    put(folder, 'data/coco/annotations/train.json', text='')
    assert check(COCO)[0].startswith('the annotation file data/coco/annotations/train.json is empty: ')
    images.append(dict(id=2, file_name='ü/d.jpg'))
    put(folder, 'data/coco/annotations/train.json', text=json.dumps(dict(images=images)))
    assert check(COCO)[0].startswith(
        '1 of the 3 files of data/coco/annotations/train.json are missing (first: data/coco/train/ü/d.jpg): '
    )


def test_within_other_datasets_and_once_for_every_loader(folder):
    nested = dict(
        type='RepeatDataset',
        times=5,
        dataset=dict(type='ConcatDataset', datasets=[COCO, dict(COCO, data_root='x/')]),
    )
    (folder / 'run.py').write_text(
        f'train_dataloader = dict(dataset={nested})\nval_dataloader = dict(dataset={COCO})\ntest_dataloader = None\n'
    )
    cfg = Config.fromfile('run.py')
    assert [found.split for found in inspect_data(cfg)] == ['train', 'train', 'val']
    with pytest.raises(UserError) as error:
        check_data(cfg)
    first = check(COCO)[0]
    assert str(error.value) == f'{first} (and 1 more: see `python tools/check_data.py run.py`)'
    with pytest.raises(UserError) as error:
        check_data(cfg, ('val_dataloader',))
    assert str(error.value) == first
    check_data(cfg, ('test_dataloader',))


def test_a_new_style_config_with_classes_for_types(folder):
    from mmpretrain.datasets import ImageNet

    put(folder, 'data/imagenet/val/n01/1.JPEG')
    imagenet = dict(type=ImageNet, data_root='data/imagenet', split='val')
    assert check(imagenet)[0].startswith('data/imagenet/val has 1 class folders, not 1000: get ILSVRC2012 ')


@pytest.mark.parametrize(
    'dataset, length',
    [
        (
            dict(
                type='mmdet.CocoDataset',
                data_root='data/coco/',
                ann_file='annotations/instances_train2017.json',
                data_prefix=dict(img='train2017/'),
            ),
            4,
        ),
        (
            dict(
                type='mmseg.CityscapesDataset',
                data_root='data/cityscapes/',
                data_prefix=dict(img_path='leftImg8bit/val', seg_map_path='gtFine/val'),
            ),
            2,
        ),
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


def test_voc_boxes(folder):
    assert 'unpack them so that data/VOCdevkit holds VOC2007 and VOC2012' in check(VOC_BOXES)[0]
    put(folder, 'data/VOCdevkit/VOC2007/ImageSets/Main/trainval.txt', text='1\n2\n')
    base = 'data/VOCdevkit/VOC2007/'
    put(folder, base + 'JPEGImages/1.jpg', base + 'JPEGImages/2.jpg', base + 'Annotations/1.xml')
    assert check(VOC_BOXES)[0].startswith(
        '1 of the 4 files of data/VOCdevkit/VOC2007/ImageSets/Main/trainval.txt are missing (first: '
        'data/VOCdevkit/VOC2007/Annotations/2.xml)'
    )
    put(folder, base + 'Annotations/2.xml')
    assert check(VOC_BOXES) == []


def test_voc_masks_with_the_added_annotations(folder):
    assert 'voc_aug.py data/VOCdevkit data/VOCdevkit/VOCaug`' in check(VOC_MASKS)[0]
    base = 'data/VOCdevkit/VOC2012/'
    put(folder, base + 'ImageSets/Segmentation/aug.txt', text='1\n')
    put(folder, base + 'JPEGImages/1.jpg')
    assert check(VOC_MASKS)[0].startswith(f'the folder {base}SegmentationClassAug is missing')
    put(folder, base + 'SegmentationClassAug/1.png')
    assert check(VOC_MASKS) == []


def test_cityscapes_and_its_converter(folder):
    city = dict(
        type='CityscapesDataset',
        data_root='data/cityscapes/',
        data_prefix=dict(img_path='leftImg8bit/train', seg_map_path='gtFine/train'),
    )
    put(
        folder,
        'data/cityscapes/leftImg8bit/train/ulm/ulm_0_leftImg8bit.png',
        'data/cityscapes/gtFine/train/ulm/ulm_0_gtFine_polygons.json',
    )
    (sentence,) = check(city)
    assert (
        'ulm_0_gtFine_labelTrainIds.png), though the polygons they are converted from are there: ' in sentence
    )
    assert sentence.endswith('run `python tools/dataset_converters/cityscapes.py data/cityscapes`')
    put(folder, 'data/cityscapes/gtFine/train/ulm/ulm_0_gtFine_labelTrainIds.png')
    assert check(city) == []
    (folder / 'data/cityscapes/leftImg8bit/train/ulm/ulm_0_leftImg8bit.png').unlink()
    assert check(city)[0].startswith('the folder data/cityscapes/leftImg8bit/train holds no image')


def test_imagenet_by_split(folder):
    """As our ImageNet config names it: the split is the folder, its list is in meta/."""
    train = dict(type='ImageNet', data_root='data/imagenet', split='train')
    put(
        folder, *(f'data/imagenet/{split}/n{i:04d}/1.JPEG' for split in ('train', 'val') for i in range(1000))
    )
    assert check(train) == check(dict(train, split='val')) == []
    (folder / 'data/imagenet/train/n0007/1.JPEG').unlink()
    assert check(train)[0].startswith('1 of the 1000 class folders of data/imagenet/train are empty')
    put(folder, 'data/imagenet/meta/val.txt', text='n0001/1.JPEG 1\nn0001/2.JPEG 1\n')
    assert check(dict(train, split='val'))[0].startswith(
        '1 of the 2 files of data/imagenet/meta/val.txt are missing'
    )
    put(folder, 'data/imagenet/test/1.JPEG')
    assert check(dict(train, split='test')) == []


def test_imagenet_folders_and_lists(folder):
    imagenet = dict(type='ImageNet', data_root='data/imagenet', split='train', data_prefix='train')
    put(folder, 'data/imagenet/train/n01/1.JPEG')
    assert check(imagenet)[0].startswith('data/imagenet/train has 1 class folders, not 1000: get ILSVRC2012 ')
    put(folder, *(f'data/imagenet/train/n{i:04d}/1.JPEG' for i in range(999)))
    assert check(imagenet) == []
    (folder / 'data/imagenet/train/n0007/1.JPEG').unlink()
    assert check(imagenet)[0].startswith(
        '1 of the 1000 class folders of data/imagenet/train are empty (first: data/imagenet/train/n0007)'
    )
    put(folder, 'data/imagenet/meta/val.txt', text='1.JPEG 3\n2.JPEG 5\n')
    put(folder, 'data/imagenet/val/1.JPEG')
    listed = dict(imagenet, data_prefix='val', ann_file='meta/val.txt')
    assert check(listed)[0].startswith(
        '1 of the 2 files of data/imagenet/meta/val.txt are missing (first: data/imagenet/val/2.JPEG)'
    )


def test_cifar(folder):
    cifar = dict(type='CIFAR100', data_root='data/cifar100', split='train')
    put(folder, *(f'data/cifar100/cifar-100-python/{name}' for name in ('train', 'meta')))
    assert check(cifar) == [
        '1 of the 3 files of data/cifar100/cifar-100-python are missing (first: data/cifar100/'
        'cifar-100-python/test): get cifar-100-python.tar.gz from www.cs.toronto.edu/~kriz/cifar.html '
        'and unpack it into data/cifar100'
    ]


def test_digit_scenes_of_any_size_are_whole_as_they_were_written(folder):
    from attn_plugins.datasets.digit_scenes import write_digit_scenes

    dataset = dict(type='CustomDataset', data_root='elsewhere/digit_scenes/classes/', data_prefix='train')
    assert check(dataset) == [
        'the folder elsewhere/digit_scenes/classes is missing: run `python tools/make_digit_scenes.py '
        '--root elsewhere/digit_scenes`, which writes the whole set'
    ]
    assert check(dict(dataset, data_root='data/digit_scenes_700/classes/')) == [
        'the folder data/digit_scenes_700/classes is missing: run `python tools/make_digit_scenes.py '
        '--root data/digit_scenes_700 --train 700`, which writes the whole set'
    ]
    write_digit_scenes(
        'elsewhere/digit_scenes', train=1, val=1, size=64, progress=False
    )  # most digits do not occur
    assert check(dataset) == []
    crop = min((folder / 'elsewhere/digit_scenes/classes/train').glob('*/*.png')).relative_to(folder)
    crop.unlink()
    scenes = 'elsewhere/digit_scenes/coco/annotations/instances_train.json'
    assert f' files of the digits of {scenes} are missing (first: {crop}): run ' in check(dataset)[0]
    put(folder, scenes, text='{"images": [')
    assert check(dataset)[0].startswith(f'the annotation file {scenes} is cut short: ')
    (folder / scenes).unlink()
    assert 'class folders of elsewhere/digit_scenes/classes/train are empty' in check(dataset)[0]


def test_data_on_another_machine_and_unknown_datasets(folder):
    assert check(dict(COCO, data_root='s3://bucket/coco/')) == []
    own = dict(type='MyDataset', data_root='mine')
    assert check(own) == [
        'the folder mine is missing: put it there, or set data_root of MyDataset in the config to where it is'
    ]
    put(folder, 'mine/a.png')
    assert check(own) == []


def test_foreign_images_that_nothing_draws_are_refused():
    root = Path(__file__).resolve().parents[2]
    cfg = load_config(root / 'configs/resnet/resnet20_digitscenes-mixed.py')
    del cfg.train_dataloader['batch_sampler']
    with pytest.raises(
        UserError, match='train_dataloader has a MixedDataset, of whose foreign images no batch would'
    ):
        check_data(cfg)
