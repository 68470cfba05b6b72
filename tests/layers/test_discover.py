"""A layer's file is enough: the packages of layers find it, register it and export it."""

import subprocess
import sys
from pathlib import Path

import attn_plugins
from attn_plugins import layers

PACKAGE = Path(attn_plugins.__file__).parent


def test_every_layer_is_exported_once_by_its_family_and_by_all():
    families = [layers.channel, layers.conv, layers.norm, layers.pairwise, layers.spatial]
    assert layers.__all__ == sorted(name for family in families for name in family.__all__)
    for family in families:
        for name in family.__all__:
            assert getattr(family, name) is getattr(layers, name)
            assert getattr(layers, name).__module__.startswith(f'{family.__name__}.')


def test_a_new_file_is_found(tmp_path):
    """In a package of the same form, in a process of its own: a registered type stays."""
    folder = tmp_path / 'new_layers'
    folder.mkdir()
    (folder / '__init__.py').write_text((PACKAGE / 'layers' / 'norm' / '__init__.py').read_text())
    (folder / 'mine.py').write_text(
        'from attn_plugins.layers.channel.se import SE\n'
        'from attn_plugins.registry import MODELS\n'
        '@MODELS.register_module()\n'
        'class Mine(SE):\n'
        "    _abbr_ = 'attn_mine'\n"
    )
    code = (
        'import new_layers; from new_layers import Mine; from mmengine.registry import MODELS; '
        "assert new_layers.__all__ == ['Mine']; MODELS.build(dict(type='attn_plugins.Mine', in_channels=32))"
    )
    path = f'import sys; sys.path[:0] = {[str(tmp_path), str(PACKAGE.parent)]}; '
    subprocess.run([sys.executable, '-c', path + code], check=True, capture_output=True, text=True)
