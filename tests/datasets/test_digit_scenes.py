"""DigitScenes: the same bytes for a seed, disjoint digits, four layouts of the same scenes, never half a data set."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import cv2
import numpy as np
import pytest
from filelock import FileLock
from PIL import Image
from pycocotools.coco import COCO
from sklearn.datasets import load_digits

from attn_plugins.datasets.digit_scenes import (
    CLASSES,
    LOCK,
    SPLITS,
    is_complete,
    split_digits,
    write_digit_scenes,
)
from attn_plugins.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
COUNTS = dict(train=8, val=4)


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp('data') / 'digit_scenes'
    assert write_digit_scenes(folder, **COUNTS, progress=False)
    return folder


def contents(root):
    return {
        str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob('*')) if path.is_file()
    }


def annotations(root, split):
    """Every scene's name with its COCO annotations."""
    coco = json.loads((root / f'coco/annotations/instances_{split}.json').read_text())
    names = {image['id']: Path(image['file_name']).stem for image in coco['images']}
    scenes = {name: [] for name in names.values()}
    for annotation in coco['annotations']:
        scenes[names[annotation['image_id']]].append(annotation)
    return scenes


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(root, tmp_path):
    write_digit_scenes(tmp_path / 'same', **COUNTS, progress=False)
    write_digit_scenes(tmp_path / 'other', seed=1, **COUNTS, progress=False)
    expected = contents(root)
    assert contents(tmp_path / 'same') == expected
    other = contents(tmp_path / 'other')
    images = [name for name in expected if name.startswith('coco') and name.endswith('.jpg')]
    assert len(images) == 12
    assert all(other[name] != expected[name] for name in images)


def test_training_and_validation_digits_are_disjoint(root):
    digits = {split: {digit.index for digit in part} for split, part in split_digits().items()}
    assert digits['train'].isdisjoint(digits['val'])
    assert digits['train'] | digits['val'] == set(range(1797))
    target = load_digits().target
    for split in SPLITS:
        shares = np.bincount(target[list(digits[split])]) / len(digits[split])
        np.testing.assert_allclose(shares, np.bincount(target) / 1797, atol=0.003)
        for annotation in sum(annotations(root, split).values(), []):
            assert annotation['digit_index'] in digits[split]
            assert annotation['category_id'] == target[annotation['digit_index']] + 1


@pytest.mark.parametrize('split', SPLITS)
def test_coco_boxes_are_the_extents_of_the_masks(root, split):
    coco = COCO(str(root / f'coco/annotations/instances_{split}.json'))
    assert len(coco.anns) >= COUNTS[split]
    for scene, found in annotations(root, split).items():
        labels = cv2.imread(
            str(root / f'cityscapes/gtFine/{split}/scenes/{scene}_gtFine_labelTrainIds.png'), -1
        )
        expected = np.zeros_like(labels)
        for annotation in found:
            mask = coco.annToMask(annotation)
            assert list(cv2.boundingRect(mask)) == annotation['bbox']
            assert mask.sum() == annotation['area']
            assert not expected[mask > 0].any()  # no digit on top of another
            expected[mask > 0] = annotation['category_id']
        np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize('split', SPLITS)
def test_every_layout_shows_the_same_scenes(root, split):
    voc, scenes = root / 'VOCdevkit/VOC2007', annotations(root, split)
    crops = {}
    for path in (root / 'classes' / split).rglob('*.png'):
        crops.setdefault(path.stem.rpartition('_')[0], {})[int(path.stem.rpartition('_')[2])] = path
    for task in ('Main', 'Segmentation'):
        assert (voc / f'ImageSets/{task}/{split}.txt').read_text().split() == list(scenes)
    for scene, found in scenes.items():
        jpeg = root / f'coco/{split}/{scene}.jpg'
        assert jpeg.read_bytes() == (voc / f'JPEGImages/{scene}.jpg').read_bytes()
        image = cv2.imread(str(root / f'cityscapes/leftImg8bit/{split}/scenes/{scene}_leftImg8bit.png'))
        assert cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes() == jpeg.read_bytes()
        labels = cv2.imread(
            str(root / f'cityscapes/gtFine/{split}/scenes/{scene}_gtFine_labelTrainIds.png'), -1
        )
        np.testing.assert_array_equal(np.asarray(Image.open(voc / f'SegmentationClass/{scene}.png')), labels)
        assert voc_objects(voc / f'Annotations/{scene}.xml') == [
            (CLASSES[a['category_id'] - 1], *a['bbox']) for a in found
        ]
        assert [crops[scene][k].parent.name for k in range(len(crops[scene]))] == [
            CLASSES[a['category_id'] - 1] for a in found
        ]
        for k, annotation in enumerate(found):
            x, y, width, height = annotation['bbox']
            crop = cv2.imread(str(crops[scene][k]))
            assert max(width, height) <= crop.shape[0] == crop.shape[1]
            inner = image[y : y + height, x : x + width]  # the crop holds the digit's box, pixel for pixel
            _, _, (left, top), _ = cv2.minMaxLoc(cv2.matchTemplate(crop, inner, cv2.TM_SQDIFF))
            np.testing.assert_array_equal(crop[top : top + height, left : left + width], inner)


def voc_objects(path):
    """Class, x, y, width and height of every object of a VOC file, counted from 0."""
    objects = []
    for element in ET.parse(path).iter('object'):
        x1, y1, x2, y2 = (int(element.findtext(f'bndbox/{key}')) for key in ('xmin', 'ymin', 'xmax', 'ymax'))
        objects.append((element.findtext('name'), x1 - 1, y1 - 1, x2 - x1 + 1, y2 - y1 + 1))
    return objects


@pytest.mark.parametrize('split', SPLITS)
def test_the_libraries_own_dataset_classes_read_it(root, split):
    from mmdet.datasets import CocoDataset, VOCDataset
    from mmpretrain.datasets import CustomDataset
    from mmseg.datasets import BaseSegDataset

    scenes = annotations(root, split)
    expected = [[a['category_id'] - 1 for a in found] for found in scenes.values()]
    names = dict(classes=CLASSES)
    coco = CocoDataset(
        data_root=str(root / 'coco'),
        ann_file=f'annotations/instances_{split}.json',
        metainfo=names,
        data_prefix=dict(img=split),
        pipeline=[],
    )
    voc = VOCDataset(
        data_root=str(root / 'VOCdevkit'),
        ann_file=f'VOC2007/ImageSets/Main/{split}.txt',
        metainfo=names,
        data_prefix=dict(sub_data_root='VOC2007/'),
        pipeline=[],
    )
    for dataset in (coco, voc):
        assert dataset.metainfo['classes'] == CLASSES
        read = [[i['bbox_label'] for i in dataset.get_data_info(k)['instances']] for k in range(len(dataset))]
        assert read == expected
    masks = dict(metainfo=dict(classes=('background', *CLASSES), palette=[[0] * 3] * 11), pipeline=[])
    cityscapes = BaseSegDataset(
        data_root=str(root / 'cityscapes'),
        img_suffix='_leftImg8bit.png',
        seg_map_suffix='_gtFine_labelTrainIds.png',
        data_prefix=dict(img_path=f'leftImg8bit/{split}', seg_map_path=f'gtFine/{split}'),
        **masks,
    )
    voc_masks = BaseSegDataset(  # PascalVOCDataset accepts VOC's own classes only
        data_root=str(root / 'VOCdevkit/VOC2007'),
        ann_file=f'ImageSets/Segmentation/{split}.txt',
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        **masks,
    )
    for dataset in (cityscapes, voc_masks):
        assert len(dataset) == len(scenes)
        assert all(Path(dataset.get_data_info(k)['seg_map_path']).is_file() for k in range(len(dataset)))
    crops = CustomDataset(data_root=str(root / 'classes'), data_prefix=split, pipeline=[])
    assert tuple(crops.CLASSES) == CLASSES
    np.testing.assert_array_equal(
        np.bincount(crops.get_gt_labels(), minlength=10), np.bincount(sum(expected, []), minlength=10)
    )


def test_a_second_call_is_instant_and_leaves_the_files_alone(root):
    before = {path: path.stat().st_mtime_ns for path in root.rglob('*')}
    start = time.perf_counter()
    assert not write_digit_scenes(root, **COUNTS, progress=False)
    assert time.perf_counter() - start < 0.5
    assert {path: path.stat().st_mtime_ns for path in root.rglob('*')} == before


def test_a_missing_file_or_other_settings_have_it_written_anew(root, tmp_path):
    folder = tmp_path / 'scenes'
    write_digit_scenes(folder, **COUNTS, progress=False)
    (folder / 'coco/val/val_000000.jpg').unlink()
    assert not is_complete(folder)
    assert write_digit_scenes(folder, **COUNTS, progress=False)
    assert contents(folder) == contents(root)
    assert write_digit_scenes(folder, train=2, val=1, progress=False)
    assert len(list((folder / 'coco').rglob('*.jpg'))) == 3
    assert [path.name for path in tmp_path.iterdir()] == ['scenes']


@pytest.mark.parametrize('sign', [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_kill_halfway_leaves_nothing_that_looks_complete(tmp_path, sign):
    folder = tmp_path / 'scenes'
    command = [
        sys.executable,
        str(ROOT / 'tools/make_digit_scenes.py'),
        '--root',
        str(folder),
        '--train',
        '100000',
    ]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=dict(os.environ, OMP_NUM_THREADS='1'),
    )
    try:
        deadline = time.monotonic() + 60
        while len(list(tmp_path.rglob('*.jpg'))) < 10:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
    finally:
        process.send_signal(sign)
        error = process.communicate()[1]
    assert not folder.exists()
    if sign != signal.SIGKILL:
        code, word = (130, 'interrupted') if sign == signal.SIGINT else (143, 'terminated')
        assert process.returncode == code
        assert error.strip() == f'{word}: run the same command again: it starts anew'
        assert not list(tmp_path.iterdir())
    assert write_digit_scenes(folder, train=1, val=1, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ['scenes']


def test_what_another_process_is_writing_is_left_alone(tmp_path):
    busy = tmp_path / '.scenes-unfinished-busy'
    busy.mkdir()
    with FileLock(busy / LOCK):
        assert write_digit_scenes(tmp_path / 'scenes', train=1, val=1, progress=False)
        assert busy.is_dir()


def test_what_cannot_be_written_is_said_in_one_sentence(tmp_path):
    (tmp_path / 'photo.jpg').write_bytes(b'mine')
    with pytest.raises(UserError, match='is not DigitScenes: choose another folder, or move it away'):
        write_digit_scenes(tmp_path, progress=False)
    assert (tmp_path / 'photo.jpg').read_bytes() == b'mine'
    with pytest.raises(UserError, match='size >= 64'):
        write_digit_scenes(tmp_path / 'new', size=32, progress=False)
    assert not (tmp_path / 'new').exists()
