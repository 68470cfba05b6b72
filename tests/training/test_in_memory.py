"""Images kept in memory: the same training bit for bit, with each image decoded once."""

import pytest
import torch
from mmcv.transforms import LoadImageFromFile

from attn_plugins.cli.train import main
from tests.cli.conftest import CLASSIFICATION, DETECTION, SEGMENTATION, scenes, workspace  # noqa: F401

SHORT = [
    'train_cfg.max_epochs=2',
    'train_cfg.val_interval=9',
    'train_dataloader.batch_size=4',
    'randomness.seed=0',
]
# A user's config, whose hooks are these alone.
CONFIG = """
_base_ = {base!r}
custom_hooks = [{hook}]
"""


@pytest.fixture
def train(workspace, monkeypatch):  # noqa: F811
    """Trains a config in the workspace; returns the weights and how often a training image was decoded."""
    monkeypatch.chdir(workspace.folder)
    monkeypatch.setenv('LOCAL_RANK', '0')
    monkeypatch.delenv('ATTENTION', raising=False)
    # It reads a few images before, as often with the hook as without.
    monkeypatch.setattr('attn_plugins.training.runner.check_data', lambda cfg, loaders: [])
    decoded = []
    load = LoadImageFromFile.transform
    monkeypatch.setattr(
        LoadImageFromFile,
        'transform',
        lambda self, results: decoded.append(results['img_path']) or load(self, results),
    )

    def train(name: str, base, hook: str, *options: str):
        decoded.clear()
        (workspace.folder / f'{name}.py').write_text(CONFIG.format(base=str(base), hook=hook))
        main([f'{name}.py', '--work-dir', name, '--cfg-options', *SHORT, f'visualizer.name={name}', *options])
        weights = torch.load(workspace.folder / name / 'epoch_2.pth', weights_only=False)['state_dict']
        return weights, sum('train' in path for path in decoded)

    return train


@pytest.mark.parametrize(
    'config', [CLASSIFICATION, DETECTION, SEGMENTATION], ids=lambda path: path.parent.name
)
def test_each_image_is_decoded_once_and_the_training_is_the_same(train, config):
    plain, every_time = train('plain', config, '')
    kept, once = train('kept', config, "dict(type='attn_plugins.InMemoryHook')")
    assert every_time == 2 * once > 0
    assert plain.keys() == kept.keys() and all(torch.equal(plain[key], kept[key]) for key in plain)


def test_what_does_not_fit_is_read_each_time(train):
    plain, every_time = train('plain', CLASSIFICATION, '')
    size = 54 * 54 * 3
    kept, some = train(
        'kept', CLASSIFICATION, f"dict(type='attn_plugins.InMemoryHook', gib={10 * size / 2**30})"
    )
    assert some == every_time - 10
    assert all(torch.equal(plain[key], kept[key]) for key in plain)


def test_workers_that_end_with_each_epoch_keep_nothing_which_is_said(train, workspace):  # noqa: F811
    options = ['train_dataloader.num_workers=1', 'train_dataloader.persistent_workers=False']
    for name, more in (('ending', options), ('lasting', ['train_dataloader.num_workers=0'])):
        train(name, CLASSIFICATION, "dict(type='attn_plugins.InMemoryHook')", *more)
        (log,) = (workspace.folder / name).glob('*/*.log')
        assert ('set persistent_workers=True' in log.read_text()) == (name == 'ending')
