"""missing_data: every layout of data that the configs read, whole, absent and half there."""

import json

import pytest
from mmengine.config import Config

from attn_plugins.datasets.check import inspect_data, missing_data


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
    return missing_data(Config(dict(train_dataloader=dict(dataset=dataset))))


COCO = dict(
    type='mmdet.CocoDataset',
    data_root='data/coco/',
    ann_file='annotations/train.json',
    data_prefix=dict(img='train/'),
)


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
    cfg = Config(
        dict(train_dataloader=dict(dataset=nested), val_dataloader=dict(dataset=COCO), test_dataloader=None)
    )
    sentences = missing_data(cfg)
    assert len(sentences) == 2 and sentences[1].startswith('the folder x is missing: ')
    assert [found.loader for found in inspect_data(cfg)] == ['train', 'train', 'val']
    assert missing_data(cfg, ('test_dataloader',)) == []


def test_voc_boxes(folder):
    voc = dict(
        type='VOCDataset',
        data_root='data/VOCdevkit/',
        ann_file='VOC2007/ImageSets/Main/train.txt',
        data_prefix=dict(sub_data_root='VOC2007/'),
    )
    assert 'unpack them so that data/VOCdevkit holds VOC2007 and VOC2012' in check(voc)[0]
    put(folder, 'data/VOCdevkit/VOC2007/ImageSets/Main/train.txt', text='1\n2\n')
    base = 'data/VOCdevkit/VOC2007/'
    put(folder, base + 'JPEGImages/1.jpg', base + 'JPEGImages/2.jpg', base + 'Annotations/1.xml')
    assert check(voc)[0].startswith(
        '1 of the 4 files of data/VOCdevkit/VOC2007/ImageSets/Main/train.txt are missing (first: '
        'data/VOCdevkit/VOC2007/Annotations/2.xml)'
    )
    put(folder, base + 'Annotations/2.xml')
    assert check(voc) == []


def test_voc_masks_with_the_added_annotations(folder):
    voc = dict(
        type='PascalVOCDataset',
        data_root='data/VOCdevkit/VOC2012',
        ann_file='ImageSets/Segmentation/aug.txt',
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassAug'),
    )
    assert 'voc_aug.py data/VOCdevkit data/VOCdevkit/VOCaug`' in check(voc)[0]
    base = 'data/VOCdevkit/VOC2012/'
    put(folder, base + 'ImageSets/Segmentation/aug.txt', text='1\n')
    put(folder, base + 'JPEGImages/1.jpg')
    assert check(voc)[0].startswith(f'the folder {base}SegmentationClassAug is missing')
    put(folder, base + 'SegmentationClassAug/1.png')
    assert check(voc) == []


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
    assert sentence.endswith('/.mim/tools/dataset_converters/cityscapes.py data/cityscapes`')
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
    write_digit_scenes(
        'elsewhere/digit_scenes', train=1, val=1, size=64, progress=False
    )  # most digits do not occur
    assert check(dataset) == []
    (folder / 'elsewhere/digit_scenes/settings.json').unlink()
    assert 'class folders of elsewhere/digit_scenes/classes/train are empty' in check(dataset)[0]


def test_data_on_another_machine_and_unknown_datasets(folder):
    assert check(dict(COCO, data_root='s3://bucket/coco/')) == []
    own = dict(type='MyDataset', data_root='mine')
    assert check(own) == [
        'the folder mine is missing: put it there, or set data_root of MyDataset in the config to where it is'
    ]
    put(folder, 'mine/a.png')
    assert check(own) == []
