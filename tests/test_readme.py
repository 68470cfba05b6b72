"""The blocks of README.md and docs/ run as they are pasted into an empty folder; tables are the generated ones."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.registry import MODELS, init_default_scope

from attn_plugins import inserted_layers
from attn_plugins.distillation import distillation_of
from attn_plugins.training.config import load_config
from attn_plugins.training.library import build_model, register
from attn_plugins.training.presets import preset_names
from tests.stack import TORCH_2_1

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md')))
FOUND = [
    block
    for page in PAGES
    for block in re.findall(r'```python\n# file: (\S+)\n(.*?)```', page.read_text(), re.DOTALL)
]
BLOCKS = dict(FOUND)

# Layers of a block's model.
EXPECTED = {
    'faster-rcnn_r50-se_fpn_1x_coco.py': 13,
    'deeplabv3_r50-ca-d8_4xb2-40k_cityscapes-512x1024.py': 17,
    'resnet50-cbam_8xb32_in1k.py': 16,
    'faster-rcnn_r50-iebn_fpn_1x_coco.py': 39,
    'faster-rcnn_r50-mine_fpn_1x_coco.py': 13,
    'faster-rcnn_r50-any_fpn_1x_coco.py': 0,
}
KINDS = {
    'faster-rcnn_r50-se_fpn_1x_coco.py': {'SE'},
    'deeplabv3_r50-ca-d8_4xb2-40k_cityscapes-512x1024.py': {'CoordAttention', 'ECA'},
    'resnet50-cbam_8xb32_in1k.py': {'CBAM'},
    'faster-rcnn_r50-iebn_fpn_1x_coco.py': {'IEBN'},
    'faster-rcnn_r50-mine_fpn_1x_coco.py': {'SpatialMean'},
    'faster-rcnn_r50-any_fpn_1x_coco.py': set(),
}


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """An empty folder, in which the pages' blocks have been pasted into files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('ATTENTION', raising=False)
    monkeypatch.syspath_prepend(tmp_path)  # PYTHONPATH=.
    for name, block in BLOCKS.items():
        (tmp_path / name).write_text(block)
    return tmp_path


@pytest.mark.parametrize('name', EXPECTED)
def test_a_block_runs_as_pasted(name, project):
    """No layer is frozen; a layer's key is the one that its class gives itself."""
    model = build_model(load_config(name))
    layers = inserted_layers(model)
    assert (
        len(layers) == EXPECTED[name] and {type(layer).__name__ for layer in layers.values()} == KINDS[name]
    )
    assert all(p.requires_grad for layer in layers.values() for p in layer.parameters())
    assert sum('attn_spatial_mean' in key for key in model.state_dict()) == 13 * ('-mine_' in name)


def test_the_command_that_the_pages_name_for_a_look(project):
    """As a process; the layer of one's own is found as docs/write_a_layer.md says."""
    done = subprocess.run(
        [
            sys.executable,
            ROOT / 'tools' / 'inspect_model.py',
            'faster-rcnn_r50-mine_fpn_1x_coco.py',
            '--shape',
            '128',
        ],
        capture_output=True,
        text=True,
        env=dict(os.environ, PYTHONPATH=f'.{os.pathsep}{os.environ.get("PYTHONPATH", "")}'),
    )
    assert done.returncode == 0, done.stderr
    assert '13 inserted layers' in done.stdout


def test_the_student_is_built_beside_its_teacher(project):
    cfg = load_config('resnet18-from-r50_8xb32_in1k.py')
    assert cfg.model.student.backbone.depth == 18
    cfg.model.teacher.pop('init_cfg')  # whose weights are nobody's here
    register('mmpretrain')
    init_default_scope('mmpretrain')
    model = MODELS.build(cfg.model)
    assert (
        sum(p.numel() for p in model.parameters()) == 11_689_512
    )  # ResNet-18's: what is trained is the plain student
    assert distillation_of(model) is not None


@pytest.mark.parametrize('library, layers', [('timm', 15), ('torchvision', 16)])
def test_live_models_are_plugged(library, layers, project, capsys):
    pytest.importorskip(library)
    runpy.run_path(f'plug_{library}_model.py')
    assert capsys.readouterr().out == f'{layers} layers\n'


def test_the_tree_of_the_readme_is_of_its_block(project):
    """Its parameters; the M-Adds beside them take half a minute to count."""
    (tree,) = re.findall(r'```text\n(.*?)```', (ROOT / 'README.md').read_text(), re.DOTALL)
    model = build_model(load_config('faster-rcnn_r50-se_fpn_1x_coco.py'))
    parts = {'FasterRCNN': model, 'backbone ResNet': model.backbone}
    parts |= {f'layer{i} ResLayer': getattr(model.backbone, f'layer{i}') for i in range(1, 5)}
    parts |= {
        f'SE, {width} channels': layer for width, layer in zip((512, 1024, 2048), _first(model), strict=True)
    }
    for name, part in parts.items():
        assert f'{name}  {sum(p.numel() for p in part.parameters()):,} parameters' in tree


def _first(model) -> list:
    """The layer of each stage's first block, with its identity start."""
    return [model.backbone.get_submodule(f'layer{i}.0.bn3').attn_se for i in (2, 3, 4)]


@pytest.mark.parametrize('preset, layers', [('none', 0), ('dia', 3), ('bam', 3), ('se4.py', 13)])
def test_a_users_config_takes_presets_by_name_and_by_path(project, preset, layers):
    config = 'faster-rcnn_r50-any_fpn_1x_coco.py'
    model = build_model(load_config(config, preset, {'model.backbone.frozen_stages': -1}))
    assert len(inserted_layers(model)) == layers


def test_every_preset_is_named():
    section = (ROOT / 'docs' / 'presets.md').read_text().partition('\n## ')[0]
    table = ' '.join(line for line in section.splitlines() if line.startswith('|'))
    named = [name for names in re.findall('`([a-z0-9_ ]+)`', table) for name in names.split()]
    assert sorted(named) == preset_names(ROOT / 'configs/_base_/attention')


def test_every_block_is_run():
    others = {'se4.py', 'my_layers.py', 'resnet18-from-r50_8xb32_in1k.py'}
    live = {'plug_timm_model.py', 'plug_torchvision_model.py'}
    assert sorted(name for name, _ in FOUND) == sorted({*EXPECTED, *others, *live})


@pytest.mark.skipif(TORCH_2_1, reason='its matplotlib, another version, writes the pictures in other words')
def test_tables_are_the_generated_ones():
    done = subprocess.run(
        [sys.executable, ROOT / '.dev_scripts' / 'update_readme.py', '--check'],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
