"""publish_model.py: what is given away is the trained weights, the config and the counts, and nothing of the run."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from attn_plugins.cli import publish_model
from attn_plugins.training.config import load_config
from attn_plugins.training.library import build_model

CONFIG = str(Path(__file__).resolve().parents[2] / 'configs/mobilenetv2/mobilenetv2_digitscenes.py')


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """A folder as a training with Coordinate Attention leaves it, and its weights."""
    monkeypatch.chdir(tmp_path)
    model = build_model(load_config(CONFIG, 'ca'))
    weights = {f'module.{key}': value for key, value in model.state_dict().items()}
    content = dict(
        state_dict=weights,
        optimizer=dict(state={0: torch.zeros(3)}),
        message_hub=dict(log_scalars={}),
        meta=dict(epoch=8, iter=100, dataset_meta=dict(classes=('0', '1')), cfg='secret', hostname='secret'),
    )
    Path('run').mkdir()
    torch.save(content, 'run/epoch_8.pth')
    return model.state_dict()


def test_weights_config_and_counts_are_written(trained, capsys):
    publish_model.main([CONFIG, 'run', '--attention', 'ca', '--out', 'given'])
    paths = [Path(line) for line in capsys.readouterr().out.splitlines()]
    weights, config, description = paths
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert weights.name == f'mobilenetv2_digitscenes-ca-{digest[:8]}.pth'
    content = torch.load(weights, weights_only=True)
    assert list(content['state_dict']) == list(trained)
    assert all(torch.equal(value, trained[key]) for key, value in content['state_dict'].items())
    assert set(content) == {'state_dict', 'meta'}
    assert set(content['meta']) == {'epoch', 'iter', 'dataset_meta', 'cfg'}
    assert 'secret' not in repr(content['meta'])
    facts = json.loads(description.read_text())
    assert facts['sha256'] == digest and facts['checkpoint'] == weights.name
    assert facts['parameters'] == sum(p.numel() for p in build_model(load_config(CONFIG, 'ca')).parameters())
    # The config stands alone: it builds the model that the weights are of, wherever it lies.
    build_model(Config.fromfile(config)).load_state_dict(content['state_dict'])
    assert str(Path.cwd()) not in config.read_text()


def test_the_same_bytes_are_not_written_twice(trained, capsys):
    publish_model.main([CONFIG, 'run/epoch_8.pth', '--attention', 'ca'])
    before = sorted(Path('published').iterdir())
    with pytest.raises(SystemExit, match='1'):
        publish_model.main([CONFIG, 'run/epoch_8.pth', '--attention', 'ca'])
    assert 'there is nothing to do' in capsys.readouterr().err
    assert sorted(Path('published').iterdir()) == before


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (['run'], 'checkpoint of another model'),  # the preset is left out
        (['absent.pth', '--attention', 'ca'], 'there is no checkpoint absent.pth'),
        (['.', '--attention', 'ca'], '. holds no checkpoint'),
    ],
)
def test_what_cannot_be_published_is_said(trained, capsys, words, said):
    with pytest.raises(SystemExit, match='1'):
        publish_model.main([CONFIG, *words])
    assert said in capsys.readouterr().err
    assert not list(Path('published').glob('*.pth*'))
