"""load_config: presets are put in place, and what does not fit is refused with the nearest choice."""

import os
import shutil

import pytest

from attn_plugins.errors import UserError
from attn_plugins.training.config import CONFIGS, leaf_configs, load_config
from attn_plugins.training.presets import preset_name, preset_names, preset_of

VARY = """
_base_ = './_base_/attention/{{$ATTENTION:none}}.py'
a = dict(b=1)
model = dict(backbone=dict(plugins={{_base_.attention}}))
"""
MINE = "attention = [dict(cfg=dict(type='attn_plugins.SE', reduction=4))]\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A user's own project: two presets, a config that varies, one that is fixed, one without."""
    monkeypatch.delenv('ATTENTION', raising=False)
    presets = tmp_path / '_base_' / 'attention'
    presets.mkdir(parents=True)
    (presets / 'none.py').write_text('attention = []\n')
    (presets / 'mine.py').write_text(MINE)
    (tmp_path / 'vary.py').write_text(VARY)
    (tmp_path / 'fixed.py').write_text("_base_ = './_base_/attention/mine.py'\n")
    (tmp_path / 'without.py').write_text('a = 1\n')
    return tmp_path


def reduction(cfg) -> int:
    """What is in the model, which is what the preset says."""
    assert cfg.model.backbone.plugins == cfg.attention if 'model' in cfg else True
    return cfg.attention[0].cfg.reduction


def refusal(*args, **kwargs) -> str:
    with pytest.raises(UserError) as error:
        load_config(*args, **kwargs)
    return str(error.value)


def test_a_preset_by_argument_by_variable_and_by_default(project, monkeypatch):
    cfg = load_config(project / 'vary.py', 'mine', {'a.b': 2})
    assert reduction(cfg) == 4 and cfg.a.b == 2 and preset_of(cfg) == 'mine'
    assert 'ATTENTION' not in os.environ
    cfg = load_config(project / 'vary.py')
    assert cfg.attention == [] and preset_of(cfg) is None
    monkeypatch.setenv('ATTENTION', 'mine')
    assert reduction(load_config(project / 'vary.py')) == 4
    assert load_config(project / 'vary.py', 'none').attention == []
    assert os.environ['ATTENTION'] == 'mine'


def test_a_fixed_preset_takes_itself_only(project):
    assert reduction(load_config(project / 'fixed.py', 'mine')) == 4
    assert 'is fixed to attn_plugins.SE, so it does not take none' in refusal(project / 'fixed.py', 'none')
    assert 'takes no preset but none' in refusal(project / 'without.py', 'mine')


def test_what_does_not_exist(project):
    assert (
        refusal(project / 'vari.py')
        == f'there is no config {project}/vari.py: did you mean {project}/vary.py?'
    )
    for config in ('vary.py', 'fixed.py'):
        assert refusal(project / config, 'mina') == (
            "there is no attention preset 'mina', did you mean mine: choose from mine, none, or give the path "
            'of your own '
            "preset's .py file"
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


@pytest.mark.parametrize(
    'late, right',
    [
        ('attention.reduction', 'model.backbone.plugins.0.cfg.reduction'),
        ('attention.0.cfg.reduction', 'model.backbone.plugins.0.cfg.reduction'),
        ('attention.ResNet.0.cfg.ratio', 'model.backbone.plugins.ResNet.0.cfg.ratio'),
        ('attention', 'model.backbone.plugins'),
    ],
)
def test_an_option_that_comes_too_late_says_where_to_put_it(project, late, right):
    line = refusal(project / 'vary.py', 'mine', {late: 8})
    assert line.endswith(f'the layer is in its place by then: change {right}')


def test_what_is_said_to_change_changes_the_layer():
    leaf = CONFIGS / 'resnet/resnet18_digitscenes.py'
    model = load_config(leaf, 'ca', {'model.backbone.plugins.0.cfg.reduction': 4}).model
    assert model.backbone.plugins[0].cfg.reduction == 4
    model = load_config(leaf, 'gc', {'model.backbone.plugins.ResNet.0.cfg.ratio': 0.25}).model
    assert model.backbone.plugins.ResNet[0].cfg.ratio == 0.25


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """The folder from which a user works, with presets of the user's own in it; spaces in the path."""
    folder = tmp_path / 'my study' / 'presets'
    folder.mkdir(parents=True)
    (folder / 'se4.v2.py').write_text(MINE)
    monkeypatch.chdir(folder.parent)
    return folder


def test_a_preset_by_path(outside, project, monkeypatch):
    """In a config of this package, of a user's project, and of one that builds on this package's."""
    own = project / 'own.py'
    own.write_text(
        "_base_ = ['attn_plugins::_base_/attention/{{$ATTENTION:none}}.py']\n"
        'model = dict(backbone=dict(plugins={{_base_.attention}}))\n'
    )
    derived = project / 'derived.py'
    derived.write_text("_base_ = 'attn_plugins::resnet/resnet18_digitscenes.py'\n")
    elsewhere = project / 'deep' / 'er'
    elsewhere.mkdir(parents=True)
    (project / 'link').symlink_to(elsewhere)
    (elsewhere / 'linked.py').write_text(VARY.replace('_base_/attention', '.'))
    (elsewhere / 'none.py').write_text('attention = []\n')
    for config in (
        CONFIGS / 'resnet/resnet18_digitscenes.py',
        CONFIGS.resolve() / 'resnet/resnet18_digitscenes.py',
        project / 'vary.py',
        own,
        derived,
        project / 'link' / 'linked.py',
    ):
        for preset in ('presets/se4.v2.py', './presets/../presets/se4.v2.py', str(outside / 'se4.v2.py')):
            cfg = load_config(config, preset)
            assert reduction(cfg) == 4 and preset_of(cfg) == preset_name(preset) == 'se4.v2'
        assert load_config(config).attention == []
    monkeypatch.setenv('ATTENTION', 'presets/se4.v2.py')
    assert reduction(load_config(own)) == 4


def test_a_path_that_is_no_preset(outside, project):
    vary = project / 'vary.py'
    assert refusal(vary, 'presets/se4.py') == (
        'there is no attention preset presets/se4.py: did you mean presets/se4.v2.py?'
    )
    assert 'give the path of a .py file that has attention = [...]' in refusal(vary, 'nowhere/se4.py')
    assert 'choose from mine, none, or give the path' in refusal(vary, 'presets/se4')
    (outside / 'empty.py').write_text('')
    assert 'presets/empty.py has none: write attention = [' in refusal(vary, 'presets/empty.py')
    (outside / "it's.py").write_text(MINE)
    assert 'rename the file or its folder' in refusal(vary, "presets/it's.py")


def test_a_preset_by_path_in_a_config_that_names_one_for_good(outside, project):
    assert reduction(load_config(project / 'fixed.py', 'presets/se4.v2.py')) == 4
    (outside / 'other.py').write_text(MINE.replace('4', '8'))
    assert 'is fixed to attn_plugins.SE' in refusal(project / 'fixed.py', 'presets/other.py')


def test_a_misspelt_preset_lists_those_of_the_folder_that_the_config_takes_them_from(outside, project):
    """Also where the folder has another name, and spaces in its path."""
    config = outside.parent / 'vary.py'
    config.write_text(VARY.replace('_base_/attention', 'presets').replace('none', 'se4.v2'))
    assert reduction(load_config(config, 'se4.v2')) == 4
    assert refusal(config, 'se4.v3').startswith(
        "there is no attention preset 'se4.v3', did you mean se4.v2: choose from se4.v2, or"
    )
    own = project / 'own.py'
    own.write_text("_base_ = ['attn_plugins::_base_/attention/{{$ATTENTION:none}}.py']\n")
    assert 'triplet_attention' in refusal(own, 'mine')
    config.write_text("_base_ = './absent.py'\n")
    assert f'is built on {config.parent}/absent.py, which does not exist' in refusal(config)


def test_a_preset_for_several_hosts_outlives_the_dump_of_a_run(tmp_path):
    """The run's own config is written and read again."""
    cfg = load_config(CONFIGS / 'resnet/resnet18_digitscenes.py', 'fca')
    cfg.dump(tmp_path / 'config.py')
    again = load_config(tmp_path / 'config.py')
    assert again.model.to_dict() == cfg.model.to_dict()
    assert set(again.model.backbone.plugins) == {'ResNet', 'MobileNetV2'}
