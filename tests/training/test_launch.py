"""init_distributed: what a config is turned into where there is no GPU, and what cannot run there."""

import pytest
from mmengine.config import Config
from torch import distributed

from attn_plugins.errors import UserError
from attn_plugins.training.launch import end_distributed, init_distributed


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch):
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)
    monkeypatch.delenv('RANK', raising=False)


@pytest.fixture
def torchrun(monkeypatch, tmp_path):
    """What torchrun tells the only process of a group."""
    import socket

    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    for name, value in dict(
        RANK=0, WORLD_SIZE=1, LOCAL_RANK=0, MASTER_ADDR='127.0.0.1', MASTER_PORT=port
    ).items():
        monkeypatch.setenv(name, str(value))
    yield
    end_distributed()
    assert not distributed.is_initialized()


def config():
    return Config(
        dict(
            model=dict(
                type='EncoderDecoder',
                backbone=dict(norm_cfg=dict(type='SyncBN', requires_grad=True)),
                plugins=[dict(cfg=dict(type='attn_plugins.IEBN', sync=True))],
                head=[dict(type='Other', sync=True)],
            ),
            find_unused_parameters=True,
            sync_bn='torch',
            env_cfg=dict(dist_cfg=dict(backend='nccl')),
        )
    )


def test_one_process_needs_nothing():
    cfg = config()
    init_distributed(cfg, 'none')
    assert cfg.to_dict() == dict(config().to_dict(), launcher='none')


def test_without_a_gpu_norms_are_not_synchronised_and_the_wrapper_has_no_devices(torchrun, capsys):
    cfg = config()
    init_distributed(cfg, 'pytorch')
    assert distributed.get_backend() == 'gloo' and cfg.env_cfg.dist_cfg.backend == 'gloo'
    assert cfg.model_wrapper_cfg == dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=True,
        device_ids=None,
    )
    assert cfg.model.backbone.norm_cfg == dict(type='BN', requires_grad=True) and cfg.sync_bn is None
    assert cfg.model.plugins[0].cfg.sync is False and cfg.model.head[0].sync is True
    assert capsys.readouterr().out.startswith(
        'no GPU: 3 synchronised norms of the config run as plain batch norms'
    )


def test_what_cannot_start():
    with pytest.raises(UserError, match='--launcher slurm needs a GPU: without one use tools/dist_train.sh'):
        init_distributed(config(), 'slurm')
    with pytest.raises(UserError, match='runs under torchrun: use tools/dist_train.sh'):
        init_distributed(config(), 'pytorch')


def test_with_a_gpu_the_processes_agree_before_anything_is_done(monkeypatch):
    """--from-scratch moves the earlier checkpoints on one rank only, which none knows without a process group."""
    made = []
    monkeypatch.setattr('torch.cuda.is_available', lambda: True)
    monkeypatch.setattr(
        'attn_plugins.training.launch.init_dist', lambda launcher, **options: made.append((launcher, options))
    )
    init_distributed(config(), 'slurm')
    assert made == [('slurm', dict(backend='nccl'))]
