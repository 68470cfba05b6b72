"""Names resolve from every scope and from none, and importing the package needs neither compiled ops nor a library."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from attn_plugins.registry import nearest

SCOPES = [None, 'mmdet', 'mmseg', 'mmpretrain']


@pytest.mark.parametrize('scope', SCOPES)
def test_types_resolve_without_custom_imports(scope):
    """In a fresh process, where nothing of ours was imported before."""
    code = f"""
from mmengine.registry import MODELS, init_default_scope
if {scope!r}:
    init_default_scope({scope!r})
layer = MODELS.build(dict(type='attn_plugins.SE', in_channels=32))
assert type(layer).__module__ == 'attn_plugins.layers.channel.se'
from mmcv.cnn import build_norm_layer, build_plugin_layer
assert build_norm_layer(dict(type='attn_plugins.IEBN'), 8)[0] == 'bn'
assert build_plugin_layer(dict(type='attn_plugins.CBAM'), in_channels=32, postfix=1)[0] == 'attn_cbam1'
assert type(MODELS.build(dict(type='attn_plugins.MobileNeXt', widen_factor=0.1))).__name__ == 'MobileNeXt'
assert type(MODELS.build(dict(type='attn_plugins.HBONet', widen_factor=0.1))).__name__ == 'HBONet'
from attn_plugins.registry import LOSSES
for name in ('ActivationTransfer', 'attn_plugins.ActivationTransfer'):
    assert LOSSES.get(name).__module__ == 'attn_plugins.distillation.losses.activation_transfer'
from mmengine.registry import DATA_SAMPLERS, DATASETS
assert DATASETS.get('attn_plugins.MixedDataset').__module__ == 'attn_plugins.datasets.mixed'
assert len(DATASETS.build(dict(type='attn_plugins.ForeignImages', kind='noise', number=3))) == 3
assert DATA_SAMPLERS.get('attn_plugins.MixedBatchSampler').__module__ == 'attn_plugins.datasets.mixed'
if {scope!r} == 'mmpretrain':
    assert MODELS.get('attn_plugins.MixedDataClassifier').__name__ == 'MixedDataClassifier'
if {scope!r} == 'mmdet':
    assert MODELS.get('attn_plugins.SSDLiteHead').__name__ == 'SSDLiteHead'
"""
    done = subprocess.run([sys.executable, '-c', code], check=True, capture_output=True, text=True)
    assert 'not installed' not in done.stdout + done.stderr


def test_layers_losses_and_backbones_need_no_compiled_ops_and_no_library():
    """A finder refuses them, as on a machine where they are not installed."""
    code = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name in ('mmcv._ext', 'mmcv.ops', 'torchvision', 'mmdet', 'mmseg', 'mmpretrain'):
            raise ImportError(f'{name} is refused')
sys.meta_path.insert(0, Refuse())
import attn_plugins, torch
from mmengine.registry import MODELS
for name in ('SE', 'ECA', 'CBAM', 'CoordAttention'):
    assert MODELS.build(dict(type='attn_plugins.' + name, in_channels=32))(torch.zeros(2, 32, 3, 3)).shape[1] == 32
for name in ('MobileNeXt', 'HBONet'):
    MODELS.build(dict(type='attn_plugins.' + name, widen_factor=0.1))(torch.zeros(2, 3, 64, 64))
from attn_plugins.registry import LOSSES, build_part
import attn_plugins.distillation.losses.input_gradient
assert build_part('attn_plugins.ActivationTransfer', LOSSES).weight == 1000
"""
    subprocess.run([sys.executable, '-c', code], check=True, capture_output=True, text=True)


def test_importing_the_package_imports_nothing_but_mmengine():
    """Neither torch, nor `mmcv.cnn`, by which torch.distributed and sympy come."""
    code = """
import sys, mmengine
before = set(sys.modules)
import attn_plugins
for name in sorted(sys.modules.keys() - before):
    if name.partition('.')[0] not in {'attn_plugins', *sys.stdlib_module_names}:
        print(name)
"""
    done = subprocess.run([sys.executable, '-c', code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []


def test_public_names_are_there_though_nothing_is_imported():
    """In a fresh process each: the first access is the one that imports."""
    codes = [
        'from attn_plugins import *; Plugged, inserted_layers, load_official, plug, InsertionError, MODELS',
        'import attn_plugins as a; assert a.layers.SE is a.MODELS.get("SE"); a.ops.pool; a.official.load_official',
        'import attn_plugins as a; assert {*a.__all__, "layers", "SSDLiteHead"} <= set(dir(a)); '
        'assert not hasattr(a, "plugg") and not hasattr(a, "Layer")',
    ]
    for code in codes:
        subprocess.run([sys.executable, '-c', code], check=True, capture_output=True, text=True)


def test_our_configs_are_inherited_from_anywhere(tmp_path):
    """Under tools that never import this package, in the form that the README gives for them."""
    name = 'ssdlite/ssdlite_mobilenetv2-ca_8xb32-200k_coco.py'
    (tmp_path / 'mine.py').write_text(f"_base_ = [__import__('attn_plugins') and 'attn_plugins::{name}']\n")
    code = """
import sys
from mmengine.config import Config
assert 'attn_plugins' not in sys.modules
print(Config.fromfile('mine.py').model.backbone.plugins[0].cfg.type)
"""
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert done.stdout.split()[-1] == 'attn_plugins.CoordAttention'


# From the bottom up: a room imports those before it, and none imports one behind it.
FLOORS = [
    'version',
    'errors',
    'files',
    'randomness',
    'machine',
    'moved',
    'compat',
    'registry',
    'mim',
    'explain',
    'ops',
    'layers',
    'insertion',
    'official',
    'models',
    'datasets',
    'training',
    'distillation',
    'cost',
    'gates',
    'visualization',
    'benchmark',
    'cli',
]


def test_imports_go_down_the_floors_only():
    package = Path(__file__).parents[1] / 'attn_plugins'
    seen = set()
    for path in package.rglob('*.py'):
        room = path.relative_to(package).parts[0].removesuffix('.py')
        if room in ('__init__', '__main__'):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f'{path} imports relatively'
                names = [f'{node.module}.{alias.name}' for alias in node.names]
            for name in names:
                if name.startswith('attn_plugins.') and name.split('.')[1] in FLOORS:
                    other = name.split('.')[1]
                    assert FLOORS.index(other) <= FLOORS.index(room), f'{path} imports {name}'
                    seen.add((room, other))
    assert {('layers', 'ops'), ('training', 'datasets'), ('cost', 'training'), ('cli', 'benchmark')} <= seen


def test_the_end_of_the_sentence_on_a_misspelt_word():
    assert nearest('reductoin', ['reduction', 'gate']) == 'did you mean reduction?'
    assert nearest('x', ['reduction', 'gate']) == 'choose from gate, reduction'
    assert nearest('x9', map(str, range(100, 135))) == 'the nearest of 35 are 129, 119, 109'
    assert nearest('x', []) == 'there are none to choose from'
