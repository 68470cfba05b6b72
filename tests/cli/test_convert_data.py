"""The converters of the SBD's masks and of Cityscapes' polygons, with the command lines of mmseg's own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from attn_plugins.cli import check_data, convert_cityscapes, convert_voc_aug
from attn_plugins.datasets import cityscapes, voc_aug
from attn_plugins.mim import CONFIGS
from tests.datasets.trees import boxes, mask_of, scene, write_cityscapes_polygons, write_sbd, write_voc

TOOLS = Path(__file__).parents[2] / 'tools' / 'dataset_converters'
BASES = CONFIGS / '_base_' / 'datasets'
LISTS = Path('data/VOCdevkit/VOC2012/ImageSets/Segmentation')
MASKS = Path('data/VOCdevkit/VOC2012/SegmentationClassAug')
VOC_AUG = ['data/VOCdevkit', 'data/VOCdevkit/VOCaug', '--nproc', '1']
CITYSCAPES = ['data/cityscapes', '--nproc', '1']
# Two of VOC's own train, one of its val and two that only the SBD has.
SBD = {
    'train': ['2012_train_000000', '2012_aug_000000', '2012_val_000001'],
    'val': ['2012_aug_000001', '2012_train_000001'],
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def sbd() -> Path:
    """VOC 2012 before the conversion, and the SBD as its archive unpacks."""
    write_voc(Path('data/VOCdevkit'))
    for path in [*MASKS.iterdir(), LISTS / 'aug.txt']:
        path.unlink()
    MASKS.rmdir()
    root = Path('data/VOCdevkit/VOCaug/benchmark_RELEASE')
    write_sbd(root, SBD)
    return root


def values(path: Path) -> np.ndarray:
    image = Image.open(path)
    assert image.mode == 'L'
    return np.asarray(image)


def refused(main, argv, capsys) -> str:
    with pytest.raises(SystemExit) as exit_:
        main(argv)
    assert exit_.value.code == 1
    return capsys.readouterr().err.strip().splitlines()[-1]


def test_masks_and_lists_of_the_sbd(sbd, capsys):
    convert_voc_aug.main(VOC_AUG)
    out = capsys.readouterr().out
    assert out.startswith('5 masks, 5 of them written now; 4 names in trainaug.txt, 2 in aug.txt\n')
    assert 'warning: the published trainaug.txt has 10582 names' in out
    for names in SBD.values():
        for i, name in enumerate(names):
            assert (values(MASKS / f'{name}.png') == mask_of(0, i)).all()
    assert (LISTS / 'aug.txt').read_text().split() == ['2012_aug_000000', '2012_aug_000001']
    assert (LISTS / 'trainaug.txt').read_text().split() == [
        '2012_aug_000000',
        '2012_aug_000001',
        '2012_train_000000',
        '2012_train_000001',
    ]
    assert len((LISTS / 'train.txt').read_text().split()) == 2
    assert check_data.main([str(BASES / 'voc12aug_512x512.py'), '--read-files']) == 0


def test_masks_of_cityscapes(capsys):
    write_cityscapes_polygons(Path('data/cityscapes'))
    convert_cityscapes.main(CITYSCAPES)
    assert capsys.readouterr().out == '6 masks, 6 of them written now; 4 in train.txt, 2 in val.txt\n'
    for i in range(4):
        mask = values(Path(f'data/cityscapes/gtFine/train/ulm/ulm_{i:06}_000019_gtFine_labelTrainIds.png'))
        expected = np.full(mask.shape, 10)
        expected[40:] = 0
        for label, (x1, y1, x2, y2) in boxes(scene(i)):
            expected[y1:y2, x1:x2] = label
        assert (mask == expected).all()
    names = Path('data/cityscapes/val.txt').read_text().split()
    assert names == ['munster/munster_000000_000019', 'munster/munster_000001_000019']
    assert check_data.main([str(BASES / 'cityscapes_512x1024.py'), '--read-files']) == 0


def test_labels_of_cityscapes():
    """In the file's order; deleted objects and license plates leave what is below, groups are what they are of."""
    square = [[0, 0], [3, 0], [3, 3], [0, 3]]
    objects = [
        dict(label='car', polygon=square),
        dict(label='license plate', polygon=square),
        dict(label='sky', polygon=square, deleted=1),
        dict(label='persongroup', polygon=[[0, 0], [1, 0], [1, 3], [0, 3]]),
        dict(label='polegroup', polygon=[[3, 0], [3, 3]]),
    ]
    path = Path('a_gtFine_polygons.json')
    path.write_text(json.dumps(dict(imgHeight=4, imgWidth=5, objects=objects)))
    assert np.asarray(cityscapes.draw_mask(path)).tolist() == [[11, 11, 13, 255, 255]] * 4
    numbers = [number for number in cityscapes.LABELS.values() if number != 255]
    assert numbers == list(range(19)) and len(cityscapes.LABELS) == 34


def test_the_names_of_the_classes_are_those_of_mmseg():
    from mmseg.datasets import CityscapesDataset

    by_number = {number: name for name, number in cityscapes.LABELS.items()}
    assert tuple(by_number[i] for i in range(19)) == CityscapesDataset.METAINFO['classes']


def test_masks_of_ids_are_converted_where_there_are_no_polygons(capsys):
    folder = Path('data/cityscapes/gtFine/train/ulm')
    folder.mkdir(parents=True)
    Image.fromarray(np.array([[7, 8, 26, 33, 0, 29]], np.uint8)).save(folder / 'ulm_0_gtFine_labelIds.png')
    convert_cityscapes.main([*CITYSCAPES, '-o', 'lists'])
    assert values(folder / 'ulm_0_gtFine_labelTrainIds.png').tolist() == [[0, 1, 13, 18, 255, 255]]
    assert Path('lists/train.txt').read_text() == 'ulm/ulm_0\n'


@pytest.mark.parametrize('name', ['voc_aug', 'cityscapes'])
def test_a_second_run_writes_nothing_and_a_cut_mask_is_written_anew(name, sbd, capsys):
    write_cityscapes_polygons(Path('data/cityscapes'))
    main, argv = dict(
        voc_aug=(convert_voc_aug.main, VOC_AUG), cityscapes=(convert_cityscapes.main, CITYSCAPES)
    )[name]
    main(argv)
    files = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in Path('data').rglob('*.png')}
    texts = {path: path.read_text() for path in Path('data').rglob('*.txt')}
    main(argv)
    assert ', 0 of them written now; ' in capsys.readouterr().out
    cut = next(path for path in files if path.parent == MASKS or path.name.endswith('TrainIds.png'))
    cut.write_bytes(files[cut][0][:-5])
    main(argv)
    assert ', 1 of them written now; ' in capsys.readouterr().out
    again = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in Path('data').rglob('*.png')}
    assert again.pop(cut)[0] == files.pop(cut)[0]
    assert again == files
    assert texts == {path: path.read_text() for path in Path('data').rglob('*.txt')}


@pytest.mark.parametrize(
    'module, function, main, argv',
    [
        (voc_aug, 'read_mat', convert_voc_aug.main, VOC_AUG),
        (cityscapes, 'draw_mask', convert_cityscapes.main, CITYSCAPES),
    ],
    ids=['voc_aug', 'cityscapes'],
)
def test_an_interrupted_run_goes_on(module, function, main, argv, sbd, monkeypatch, capsys):
    write_cityscapes_polygons(Path('data/cityscapes'))
    whole, seen = getattr(module, function), []

    def interrupted(path):
        seen.append(path)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return whole(path)

    with monkeypatch.context() as patch:
        patch.setattr(module, function, interrupted)
        with pytest.raises(SystemExit) as exit_:
            main(argv)
    assert exit_.value.code == 130
    assert 'interrupted: run the same command again: it goes on' in capsys.readouterr().err
    assert not list(LISTS.glob('trainaug.txt')) and not list(Path('data').rglob('.*'))
    main(argv)
    masks = 5 if module is voc_aug else 6
    assert f'{masks} masks, {masks - 2} of them written now; ' in capsys.readouterr().out


def test_wrong_folders_and_files_of_the_sbd(sbd, capsys):
    main = convert_voc_aug.main
    assert refused(main, ['data', 'data/VOCdevkit/VOCaug'], capsys) == (
        'error: data is no VOCdevkit with VOC 2012, it lacks VOC2012/ImageSets/Segmentation/train.txt: give the folder '
        'that holds VOC2012'
    )
    assert refused(main, ['data/VOCdevkit', 'data'], capsys) == (
        'error: data is not the SBD, it lacks dataset/cls: give the folder that benchmark.tgz was unpacked into'
    )
    file = sbd / 'dataset/cls/2012_aug_000000.mat'
    file.write_bytes(file.read_bytes()[:300])
    for processes in ('1', '2'):
        line = refused(main, [*VOC_AUG[:-1], processes], capsys)
        assert line.startswith(f'error: {file} cannot be converted (') and line.endswith('): get it again')
    (sbd / 'dataset/val.txt').unlink()
    assert (
        refused(main, VOC_AUG, capsys)
        == f'error: {sbd}/dataset/val.txt is missing: unpack benchmark.tgz again'
    )


def test_wrong_folders_and_files_of_cityscapes(capsys):
    main = convert_cityscapes.main
    line = refused(main, ['data/cityscapes'], capsys)
    assert line.startswith('error: data/cityscapes/gtFine holds no *_polygons.json: give the folder that ')
    write_cityscapes_polygons(Path('data/cityscapes'))
    file = sorted(Path('data/cityscapes/gtFine').rglob('*.json'))[0]
    text = file.read_text()
    file.write_text(text.replace('"sky"', '"skyy"'))
    assert refused(main, CITYSCAPES, capsys) == (
        f"error: {file} has the label 'skyy', which Cityscapes does not: get the file again"
    )
    file.write_text(text[:100])
    assert refused(main, CITYSCAPES, capsys).startswith(
        f'error: {file} cannot be converted (JSONDecodeError: '
    )


@pytest.mark.parametrize('name, argv', [('voc_aug', VOC_AUG[:2]), ('cityscapes', CITYSCAPES[:1])])
def test_the_documented_commands_of_openmmlab(name, argv, sbd):
    """As processes, with several workers."""
    write_cityscapes_polygons(Path('data/cityscapes'))
    command = [sys.executable, str(TOOLS / f'{name}.py'), *argv, '--nproc', '2']
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ, OMP_NUM_THREADS='1'))
    assert done.returncode == 0, done.stderr
    assert 'of them written now; ' in done.stdout
