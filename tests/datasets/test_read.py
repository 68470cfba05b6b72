"""check_data.py --read-files: what is in the files, where their names are right."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from attn_plugins.cli.check_data import main
from attn_plugins.mim import CONFIGS
from tests.datasets.trees import write_cifar, write_cityscapes, write_coco, write_mnist, write_voc

BASES = CONFIGS / '_base_' / 'datasets'
COCO, VOC, CITYSCAPES = 'coco_ssdlite320.py', 'voc0712_ssdlite320.py', 'cityscapes_512x1024.py'
JSON = Path('data/coco/annotations/instances_train2017.json')


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
    faults = [line.removeprefix('fault: ') for line in lines if line.startswith('fault: ')]
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
    cut, text, small = (Path(f'data/coco/train2017/{i:012}.jpg') for i in (1, 2, 3))
    cut.write_bytes(cut.read_bytes()[:2000])
    text.write_text('<html>')
    cv2.imwrite(str(small), np.zeros((5, 7, 3), np.uint8))
    faults = read(COCO, capsys)
    assert [fault.split(' ')[0] for fault in faults] == [str(cut), str(text), str(small)]
    assert 'cannot be decoded (image file is truncated' in faults[0]
    assert faults[2] == f'{small} has 7 x 5 pixels, the annotations state 128 x 96'


@pytest.mark.parametrize(
    'key, index, field, value, words',
    [
        ('annotations', 0, 'image_id', 77, 'annotation 1 is of image 77, which is not listed'),
        ('annotations', 0, 'category_id', 9, 'annotation 1 is of category 9, which is not listed'),
        ('annotations', 1, 'id', 1, 'gives an id to several annotations'),
        ('categories', 4, 'name', 'aeroplane', 'has no category airplane'),
        ('annotations', 0, 'image_id', None, "cannot be read as COCO JSON (KeyError: 'image_id')"),
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
    assert said.pop(str(cut)).startswith('cannot be decoded')
    assert said == {
        str(foreign): 'has the value 19, 33, which is neither below 19 nor 255',
        str(small): 'has 50 x 95 pixels, its image 128 x 96',
        str(colours): 'is no mask of class numbers: it has 3 channels',
    }


def test_boxes(capsys):
    write_voc(Path('data/VOCdevkit'))
    files = [Path(f'data/VOCdevkit/VOC2007/Annotations/2007_trainval_{i:06}.xml') for i in range(3)]
    text = files[0].read_text()
    box = '<bndbox><xmin>5</xmin><ymin>1</ymin><xmax>129</xmax><ymax>20</ymax></bndbox>'
    files[0].write_text(text.replace('</annotation>', f'<object><name>cat</name>{box}</object></annotation>'))
    files[1].write_text(text.replace('<name>', '<name>my '))
    files[2].write_text(text[:-20])
    faults = read(VOC, capsys)
    assert faults[0] == f'{files[0]} has the box (5, 1, 129, 20) outside its image of 128 x 96 pixels'
    assert faults[1].startswith(f"{files[1]} names the class 'my ")
    assert faults[-1].startswith(f'{files[2]} cannot be read (unclosed token')


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


@pytest.mark.parametrize('name, kind', [('cifar10', 'CIFAR10'), ('cifar100', 'CIFAR100')])
def test_sums_of_cifar(name, kind, capsys):
    write_cifar(Path('data', name), kind)
    assert main([name]) == 0
    assert main([name, '--read-files']) == 1
    assert 'is not the published file: its MD5 sum is ' in capsys.readouterr().out


def test_mnist_packed_and_unpacked(capsys):
    write_mnist(Path('packed'), packed=True)
    assert main(['mnist', '--root', 'packed', '--read-files']) == 1
    out = capsys.readouterr().out
    assert 'run `gunzip --keep packed/*.gz`' in out and 'not f68b3c2dcbeaaa9fbdd348bbdeb94873' in out
    write_mnist(Path('data/fashion_mnist'), packed=False)
    assert main(['fashion_mnist', '--read-files']) == 1
    out = capsys.readouterr().out
    assert (
        '  train: missing: 4 files of data/fashion_mnist: 4 images, not the published 60000 (github.com'
        in out
    )
    assert (
        '  test: missing: 4 files of data/fashion_mnist: 4 images, not the published 10000 (github.com' in out
    )
    assert 'read: 4 samples without a fault' in out
    file = Path('data/fashion_mnist/t10k-images-idx3-ubyte')
    file.write_bytes(file.read_bytes()[:-1])
    assert main(['fashion_mnist', '--read-files']) == 1
    assert f'{file} has 3151 bytes, not the 3152 that its head says' in capsys.readouterr().out
    file.unlink()
    assert main(['fashion_mnist']) == 1
    assert f'(first: {file}): get train-images-idx3-ubyte.gz' in capsys.readouterr().out
