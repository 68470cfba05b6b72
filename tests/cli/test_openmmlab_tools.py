"""The same configs run, unchanged, under mmdet's, mmseg's and mmpretrain's own train.py and test.py."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.cli.conftest import CLASSIFICATION, DETECTION, ROOT, SEGMENTATION, SHORT


@pytest.mark.parametrize(
    'library, config, preset, metric',
    [
        ('mmdet', DETECTION, 'ca', 'coco/bbox_mAP'),
        ('mmseg', SEGMENTATION, 'iebn', 'mIoU'),
        ('mmpretrain', CLASSIFICATION, 'se', 'accuracy/top1'),
    ],
)
def test_train_and_test_of_the_library(workspace, library, config, preset, metric):
    tools = Path(find_spec(library).origin).parent / '.mim' / 'tools'
    # The package is found as it is where it is installed; ATTENTION is how a preset is chosen without our own tools.
    environment = dict(PYTHONPATH=str(ROOT), ATTENTION=preset)
    result = workspace.run(
        tools / 'train.py',
        config,
        '--work-dir',
        'run',
        '--cfg-options',
        *SHORT,
        'train_cfg.max_epochs=1',
        'train_cfg.val_interval=9',
        'val_dataloader.batch_size=4',
        **environment,
    )
    assert result.returncode == 0, result.stderr
    assert re.search(r'Epoch\(train\)\s+\[1\]\[\s*2/', result.stdout)
    log = ''.join(path.read_text() for path in (workspace.folder / 'run').glob('*/*.log'))
    assert {'ca': 'CoordAttention', 'iebn': 'IEBN', 'se': 'attn_plugins.SE'}[preset] in log
    result = workspace.run(
        tools / 'test.py', config, 'run/epoch_1.pth', '--work-dir', 'tested', **environment
    )
    assert result.returncode == 0, result.stderr
    assert re.search(rf'{metric}: +-?[\d.]+', result.stdout)
    assert 'missing keys' not in result.stdout + result.stderr
