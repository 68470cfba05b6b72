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


DISTILLED = """
_base_ = '{config}'
model = dict(
    _delete_=True, type='attn_plugins.Distiller', student={{{{_base_.model}}}},
    teacher=dict(config='{config}'), random_teacher=True,
    losses=[dict(type='attn_plugins.ActivationTransfer')], pairs=['{pair}'])
custom_hooks = [dict(type='attn_plugins.DistillationHook')]
"""


@pytest.mark.parametrize(
    'library, config, pair, metric',
    [
        ('mmdet', DETECTION, 'neck', 'coco/bbox_mAP'),
        ('mmseg', SEGMENTATION, 'backbone.layer4', 'mIoU'),
        ('mmpretrain', CLASSIFICATION, 'backbone.layer4', 'accuracy/top1'),
    ],
)
def test_a_student_is_trained_by_the_library_and_tested_as_a_plain_model(
    workspace, library, config, pair, metric
):
    tools = Path(find_spec(library).origin).parent / '.mim' / 'tools'
    environment = dict(PYTHONPATH=str(ROOT), ATTENTION='none')
    (workspace.folder / 'student.py').write_text(DISTILLED.format(config=config, pair=pair))
    result = workspace.run(
        tools / 'train.py',
        'student.py',
        '--work-dir',
        'run',
        '--cfg-options',
        *SHORT,
        'train_cfg.max_epochs=1',
        'train_cfg.val_interval=9',
        **environment,
    )
    assert result.returncode == 0, result.stderr
    assert re.search(r'Epoch\(train\)\s+\[1\]\[\s*2/.* loss_at: [\d.]+', result.stdout)
    for tested in (config, 'student.py'):
        result = workspace.run(
            tools / 'test.py', tested, 'run/epoch_1.pth', '--work-dir', 'tested', **environment
        )
        assert result.returncode == 0, result.stderr
        assert re.search(rf'{metric}: +-?[\d.]+', result.stdout)
        assert 'missing keys' not in result.stdout + result.stderr
        assert 'unexpected key' not in result.stdout + result.stderr
