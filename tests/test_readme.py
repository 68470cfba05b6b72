"""The README's blocks run as they stand, in projects of mmdet and mmseg; its tables are the generated ones."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import mmdet
import mmseg
import pytest

from attn_plugins import inserted_layers
from attn_plugins.engine.config import load_config, preset_names
from attn_plugins.engine.library import build_model
from tests.stack import TORCH_2_1

ROOT = Path(__file__).parents[1]
BLOCKS = dict(re.findall(r'```python\n# file: (\S+)\n(.*?)```', (ROOT / 'README.md').read_text(), re.DOTALL))

BUILD = """
import sys
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
cfg = Config.fromfile(sys.argv[1])
init_default_scope(cfg.default_scope)
model = MODELS.build(cfg.model)
from attn_plugins import inserted_layers
print(sum(not p.requires_grad for layer in inserted_layers(model).values() for p in layer.parameters()), 'frozen')
print(len(inserted_layers(model)), sorted({type(layer).__name__ for layer in inserted_layers(model).values()}))
print(sum('attn_spatial_mean' in key for key in model.state_dict()))
"""

EXPECTED = {
    'faster-rcnn_r50-se_fpn_1x_coco.py': "0 frozen\n13 ['SE']\n0\n",
    'deeplabv3_r50-ca-d8_4xb2-40k_cityscapes-512x1024.py': "0 frozen\n17 ['CoordAttention', 'ECA']\n0\n",
    'faster-rcnn_r50-iebn_fpn_1x_coco.py': "0 frozen\n39 ['IEBN']\n0\n",
    'faster-rcnn_r50-mine_fpn_1x_coco.py': "0 frozen\n13 ['SpatialMean']\n13\n",
}


@pytest.fixture(scope='module')
def project(tmp_path_factory) -> Path:
    """A user's project: configs of the library, and the README's blocks beside them."""
    root = tmp_path_factory.mktemp('project')
    for library, folders in ((mmdet, ('faster_rcnn', '_base_')), (mmseg, ('deeplabv3', '_base_'))):
        configs = root / library.__name__ / 'configs'
        for folder in folders:
            shutil.copytree(Path(library.__file__).parent / '.mim' / 'configs' / folder, configs / folder)
    for name, block in BLOCKS.items():
        folder = 'mmseg/configs/deeplabv3' if name.startswith('deeplab') else 'mmdet/configs/faster_rcnn'
        (root / folder / name).write_text(block)
    return root


@pytest.mark.parametrize('name', EXPECTED)
def test_block_runs_in_a_users_project(project, name):
    file = next(project.rglob(name))
    done = subprocess.run(
        [sys.executable, '-c', BUILD, file.name], cwd=file.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(EXPECTED[name]), done.stdout


def test_live_models_are_plugged(tmp_path):
    (tmp_path / 'plug_any_model.py').write_text(
        BLOCKS['plug_any_model.py'] + 'print(len(attn_plugins.inserted_layers(model)))'
    )
    done = subprocess.run([sys.executable, tmp_path / 'plug_any_model.py'], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == '15\n', done.stdout + done.stderr


ANY = 'faster-rcnn_r50-any_fpn_1x_coco.py'


@pytest.mark.parametrize('preset, layers', [('none', 0), ('dia', 3), ('bam', 3), ('se4.py', 13)])
def test_a_users_config_takes_presets_by_name_and_by_path(project, preset, layers):
    config = next(project.rglob(ANY))
    path = str(config.parent / preset) if preset.endswith('.py') else preset
    model = build_model(load_config(config, path, {'model.backbone.frozen_stages': -1}))
    assert len(inserted_layers(model)) == layers


def test_every_preset_is_named():
    section = (ROOT / 'README.md').read_text().partition('## Presets')[2].partition('\n## ')[0]
    table = ' '.join(line for line in section.splitlines() if line.startswith('|'))
    named = [name for names in re.findall('`([a-z0-9_ ]+)`', table) for name in names.split()]
    assert sorted(named) == preset_names(ROOT / 'configs/_base_/attention')


def test_every_block_is_run():
    assert set(BLOCKS) == {*EXPECTED, ANY, 'se4.py', 'my_layers.py', 'plug_any_model.py'}


@pytest.mark.skipif(TORCH_2_1, reason='its matplotlib, another version, writes the pictures in other words')
def test_tables_are_the_generated_ones():
    done = subprocess.run(
        [sys.executable, ROOT / '.dev_scripts' / 'update_readme.py', '--check'],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
