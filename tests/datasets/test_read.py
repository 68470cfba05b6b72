"""check_data.py --read-files: what is in the files, where their names are right."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from attn_plugins.cli.check_data import main
from attn_plugins.mim import CONFIGS
from tests.datasets.trees import write_cityscapes, write_coco, write_image, write_mnist, write_voc

BASES = CONFIGS / '_base_' / 'datasets'
COCO, VOC, CITYSCAPES = 'coco_ssdlite320.py', 'voc0712_ssdlite320.py', 'cityscapes_512x1024.py'
JSON = Path('data/coco/annotations/instances_train2017.json')


MASKS = """
default_scope = 'mmseg'
model = dict(decode_head=dict(num_classes={number}))
train_dataloader = dict(dataset=dict(
    type='BaseSegDataset', data_root='mine', data_prefix=dict(img_path='images', seg_map_path='masks'),
    metainfo=dict(classes={names}), pipeline=[dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]))
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def read(config: str, capsys) -> list[str]:
    """The lines on what was read, without the splits."""
    # A base file names no library: a config does.
    runtime = dict(zip((COCO, VOC, CITYSCAPES), ('mmdet', 'mmdet', 'mmseg'), strict=True))[config]
    Path('run.py').write_text(f'_base_ = {str(BASES / config)!r}\ndefault_scope = {runtime!r}\n')
    code = main(['run.py', '--read-files'])
    lines = [line.split(': ', 1)[1] for line in capsys.readouterr().out.splitlines() if ': ' in line]
    faults = [
        re.sub('^(fault|wrong): ', '', line) for line in lines if line.startswith(('fault: ', 'wrong: '))
    ]
    assert bool(faults) == bool(code)
    return faults


def test_whole_files(capsys):
    for config, write, home in (
        (COCO, write_coco, 'coco'),
        (VOC, write_voc, 'VOCdevkit'),
        (CITYSCAPES, write_cityscapes, 'cityscapes'),
    ):
        write(Path('data', home))
        assert read(config, capsys) == []


def test_images(capsys):
    write_coco(Path('data/coco'))
    cut, small = (Path(f'data/coco/train2017/{i:012}.jpg') for i in (2, 3))
    cut.write_bytes(cut.read_bytes()[:-300])
    cv2.imwrite(str(small), np.zeros((5, 7, 3), np.uint8))
    said = dict(fault.split(' ', 1) for fault in read(COCO, capsys))
    assert said.keys() == {str(cut), str(small)}
    # Some builds of OpenCV fill the rest with grey.
    assert said[str(cut)].startswith(
        ('is cut short (image file is truncated', 'cannot be loaded by LoadImage')
    )
    assert said[str(small)] == 'has 7 x 5 pixels, the annotations state 128 x 96'
    text = Path('data/coco/train2017/000000000001.jpg')
    text.write_text('<html>')
    assert read(COCO, capsys)[0].startswith(f'{text} cannot be loaded by LoadImageFromFile (')


@pytest.mark.parametrize(
    'key, index, field, value, words',
    [
        ('annotations', 0, 'image_id', 77, 'annotation 1 is of image 77, which is not listed'),
        ('annotations', 0, 'category_id', 9, 'annotation 1 is of category 9, which is not listed'),
        ('annotations', 1, 'id', 1, "instances_train2017.json' are not unique!"),
        ('images', 1, 'id', 1, 'gives an id to several images: 4 have 3 ids'),
        ('categories', 4, 'name', 'aeroplane', 'has no category airplane of its 80 classes'),
        ('annotations', 0, 'image_id', None, 'cannot be loaded by CocoDataset (KeyError: image_id)'),
    ],
)
def test_annotations_of_coco(key, index, field, value, words, capsys):
    write_coco(Path('data/coco'))
    coco = json.loads(JSON.read_text())
    if value is None:
        del coco[key][index][field]
    else:
        coco[key][index][field] = value
    JSON.write_text(json.dumps(coco))
    assert any(words in fault for fault in read(COCO, capsys))


def test_masks(capsys):
    write_cityscapes(Path('data/cityscapes'))
    masks = sorted(Path('data/cityscapes/gtFine').rglob('*_labelTrainIds.png'))
    foreign, small, colours, cut = masks[:4]
    mask = cv2.imread(str(foreign), cv2.IMREAD_UNCHANGED)
    mask[0, :2] = 19, 33
    cv2.imwrite(str(foreign), mask)
    cv2.imwrite(str(small), mask[1:, :50])
    cv2.imwrite(str(colours), np.zeros((96, 128, 3), np.uint8))
    cut.write_bytes(cut.read_bytes()[:-40])
    said = dict(fault.split(' ', 1) for fault in read(CITYSCAPES, capsys))
    assert said.pop(str(cut)).startswith('cannot be loaded by LoadAnnotations (')
    assert said == {
        str(
            foreign
        ): 'has the value 19, 33, which is neither below 19 nor 255, the ignore_index of its dataset or head',
        str(small): 'has 50 x 95 pixels, its image 128 x 96',
        str(
            colours
        ): 'is no mask of class numbers: it has 3 channels, where one is needed that holds the number of each '
        "pixel's class",
    }


def test_boxes(capsys):
    write_voc(Path('data/VOCdevkit'))
    files = [Path(f'data/VOCdevkit/VOC2007/Annotations/2007_trainval_{i:06}.xml') for i in range(3)]
    text = files[0].read_text()
    box = '<bndbox><xmin>5</xmin><ymin>1</ymin><xmax>129</xmax><ymax>20</ymax></bndbox>'
    files[0].write_text(text.replace('</annotation>', f'<object><name>cat</name>{box}</object></annotation>'))
    files[1].write_text(text.replace('<name>', '<name>my '))
    faults = read(VOC, capsys)
    assert faults[0] == f'{files[0]} has the box (5, 1, 129, 20) outside its image of 128 x 96 pixels'
    assert faults[1].startswith(f"{files[1]} names the class 'my ")


def test_boxes_of_coco(capsys):
    """mmdet drops, or clips, what cannot be right, and says nothing."""
    write_coco(Path('data/coco'))
    coco = json.loads(JSON.read_text())
    first, second = coco['annotations'][:2]
    first['bbox'], second['bbox'] = [10, 10, 0, 20], [200, 10, 20, 20]
    JSON.write_text(json.dumps(coco))
    faults = read(COCO, capsys)
    assert faults == [
        f'{JSON}: annotation 1 has a box without area (10, 10, 0, 20)',
        f'{JSON}: annotation 2 has a box outside its image of 128 x 96 pixels (200, 10, 20, 20)',
    ]
    for item in coco['annotations']:
        item['bbox'] = [70, 60, 120, 90]
    JSON.write_text(json.dumps(coco))
    assert read(COCO, capsys)[0].startswith(
        f'{JSON}: its boxes look like corners (x1, y1, x2, y2), as the first, (70, 60, 120, 90)'
    )


def test_a_few_boxes_of_many_that_cannot_be_right_are_a_warning(capsys):
    """COCO's own files have some."""
    write_coco(Path('data/coco'))
    coco = json.loads(JSON.read_text())
    whole = coco['annotations'][0]
    coco['annotations'] = [dict(whole, id=i) for i in range(2000)] + [dict(whole, id=2000, bbox=[1, 1, 9, 0])]
    JSON.write_text(json.dumps(coco))
    assert main(['coco', '--read-files']) == 1  # not of the published size
    said = capsys.readouterr().out
    assert f'train2017: warning: {JSON}: annotation 2000 has a box without area (1, 1, 9, 0)' in said
    assert 'train2017: read: 4 samples without a fault' in said


def test_a_class_without_one_pixel(capsys):
    """Masks of 0 and 255: what was meant for class 1 is ignored."""
    for i in range(2):
        write_image(Path(f'mine/images/{i}.jpg'), i)
        Path('mine/masks').mkdir(exist_ok=True)
        cv2.imwrite(f'mine/masks/{i}.png', 255 * np.eye(96, 128, dtype=np.uint8))
    Path('run.py').write_text(MASKS.format(number=2, names=('ground', 'roof')))
    assert main(['run.py', '--read-files']) == 1
    assert (
        '  train: fault: no mask has one pixel of roof: its pixels are 99 % ground, 1 % ignored (255)'
        in capsys.readouterr().out
    )
    cv2.imwrite('mine/masks/1.png', np.eye(96, 128, dtype=np.uint8))
    Path('run.py').write_text(MASKS.format(number=3, names=('ground', 'roof', 'tree')))
    assert main(['run.py', '--read-files']) == 0
    assert '  train: warning: no mask has one pixel of tree: ' in capsys.readouterr().out


def test_many_faults_are_counted_and_the_first_named(capsys):
    write_coco(Path('data/coco'))
    coco = json.loads(JSON.read_text())
    coco['annotations'] = [dict(id=i, image_id=99, category_id=1) for i in range(25)]
    JSON.write_text(json.dumps(coco))
    assert main(['coco', '--read-files']) == 1
    lines = capsys.readouterr().out.splitlines()
    assert '  train2017: read: 25 faults in 4 samples' in lines
    assert sum('is of image 99' in line for line in lines) == 10
    assert '  train2017: fault: and 15 more' in lines
    assert '  val2017: read: 2 samples without a fault' in lines


def test_mnist_packed_and_unpacked(capsys):
    write_mnist(Path('packed'), packed=True)
    assert main(['mnist', '--root', 'packed']) == 1
    out = capsys.readouterr().out
    assert (
        'packed/train-images-idx3-ubyte.gz is not the published file: its MD5 sum is not f68b3c2dcbeaaa9'
        in out
    )
    write_mnist(Path('data/fashion_mnist'), packed=False)
    assert main(['fashion_mnist', '--read-files']) == 1
    out = capsys.readouterr().out
    assert '  train: wrong: 4 images of FashionMNIST, not the published 60000 (github.com' in out
    assert '  test: wrong: 4 images of FashionMNIST, not the published 10000 (github.com' in out
    assert 'read: 4 samples without a fault' in out
    file = Path('data/fashion_mnist/t10k-images-idx3-ubyte')
    file.write_bytes(file.read_bytes()[:-1])
    assert main(['fashion_mnist']) == 1
    assert (
        "FashionMNIST cannot load its data (RuntimeError: shape '[4, 28, 28]' is invalid"
        in capsys.readouterr().out
    )
    file.unlink()
    assert main(['fashion_mnist']) == 1
    assert f'the file {file} is missing (data/fashion_mnist holds ' in capsys.readouterr().out
