"""check_data.py: one line per dataset, what is missing and how to get it, exit code 1 if anything is."""

from tests.tools.conftest import CLASSIFICATION, DETECTION, SEGMENTATION, error_line


def test_complete_absent_and_unnamed(workspace):
    result = workspace.run('check_data.py', DETECTION, SEGMENTATION, CLASSIFICATION)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.splitlines() == [
        str(DETECTION),
        '  train: ok: 8 files of data/digit_scenes/coco/annotations/instances_train.json',
        '  val, test: ok: 4 files of data/digit_scenes/coco/annotations/instances_val.json',
        str(SEGMENTATION),
        '  train: ok: 8 images with masks in data/digit_scenes/cityscapes/leftImg8bit/train',
        '  val, test: ok: 4 images with masks in data/digit_scenes/cityscapes/leftImg8bit/val',
        str(CLASSIFICATION),
        # Some digits do not occur in so few scenes.
        '  train, val, test: ok: DigitScenes as it was written, in data/digit_scenes/classes/',
    ]
    (workspace.folder / 'data' / 'digit_scenes').unlink()
    result = workspace.run('check_data.py', '--all')
    assert result.returncode == 1 and 'Traceback' not in result.stderr
    assert (
        '  train, val, test: missing: the folder data/digit_scenes/coco is missing: run `python '
        in result.stdout
    )
    assert ' ok: ' not in result.stdout
    assert error_line(workspace.run('check_data.py')) == 'error: name at least one config, or use --all'
