"""load_config: presets are put in place, and what does not fit is refused with the nearest choice."""

import os
import shutil

import pytest

from attn_plugins.engine.config import CONFIGS, leaf_configs, load_config, preset_names, preset_of
from attn_plugins.errors import UserError


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A user's own project: two presets, a config that varies, one that is fixed, one without."""
    monkeypatch.delenv('ATTENTION', raising=False)
    presets = tmp_path / '_base_' / 'attention'
    presets.mkdir(parents=True)
    (presets / 'none.py').write_text('attention = None\n')
    (presets / 'mine.py').write_text("attention = dict(type='attn_plugins.SE', reduction=4)\n")
    (tmp_path / 'vary.py').write_text("_base_ = './_base_/attention/{{$ATTENTION:none}}.py'\na = dict(b=1)\n")
    (tmp_path / 'fixed.py').write_text("_base_ = './_base_/attention/mine.py'\n")
    (tmp_path / 'without.py').write_text('a = 1\n')
    return tmp_path


def refusal(*args, **kwargs) -> str:
    with pytest.raises(UserError) as error:
        load_config(*args, **kwargs)
    return str(error.value)


def test_a_preset_by_argument_by_variable_and_by_default(project, monkeypatch):
    cfg = load_config(project / 'vary.py', 'mine', {'a.b': 2})
    assert cfg.attention.reduction == 4 and cfg.a.b == 2 and preset_of(cfg) == 'mine'
    assert 'ATTENTION' not in os.environ
    cfg = load_config(project / 'vary.py')
    assert cfg.attention is None and preset_of(cfg) is None
    monkeypatch.setenv('ATTENTION', 'mine')
    assert load_config(project / 'vary.py').attention.reduction == 4
    assert load_config(project / 'vary.py', 'none').attention is None
    assert os.environ['ATTENTION'] == 'mine'


def test_a_fixed_preset_takes_itself_only(project):
    assert load_config(project / 'fixed.py', 'mine').attention.reduction == 4
    assert 'is fixed to attention = attn_plugins.SE(...): leave --attention none out' in refusal(
        project / 'fixed.py', 'none'
    )
    assert 'takes no attention preset' in refusal(project / 'without.py', 'mine')


def test_what_does_not_exist(project):
    assert (
        refusal(project / 'vari.py')
        == f'there is no config {project}/vari.py: did you mean {project}/vary.py?'
    )
    for config in ('vary.py', 'fixed.py'):
        assert refusal(project / config, 'mina') == (
            "there is no attention preset 'mina', did you mean mine: choose from mine, none"
        )
    (project / 'broken.py').write_text("_base_ = './absent.py'\n")
    assert f'is built on {project}/absent.py, which does not exist' in refusal(project / 'broken.py')
    (project / 'syntax.py').write_text('a = dict(\n')
    assert refusal(project / 'syntax.py').startswith(f'{project}/syntax.py cannot be read (SyntaxError: ')


def test_what_does_not_exist_in_a_folder_with_a_space_in_its_name(project):
    folder = project / 'my project'
    shutil.copytree(project / '_base_', folder / '_base_')
    shutil.copy(project / 'vary.py', folder)
    assert refusal(folder / 'vary.py', 'mina').startswith(
        "there is no attention preset 'mina', did you mean mine"
    )
    (folder / 'broken.py').write_text("_base_ = './not there.py'\n")
    assert f'is built on {folder}/not there.py, which does not exist' in refusal(folder / 'broken.py')


def test_the_shipped_presets_and_configs():
    assert {'none', 'se', 'cbam', 'eca', 'ca', 'ca_x', 'ca_y', 'iebn'} <= set(preset_names())
    assert CONFIGS.joinpath('mobilenetv2/mobilenetv2_digitscenes.py').is_file()
    assert not any('_base_' in path.parts for path in leaf_configs())
    assert 'mobilenetv2_digitscenes' in {path.stem for path in leaf_configs()}


def test_an_option_that_comes_too_late_says_where_to_put_it(project):
    line = refusal(project / 'vary.py', 'mine', {'attention.reduction': 8})
    assert line.endswith('change model.backbone.plugins.0.cfg.reduction')
