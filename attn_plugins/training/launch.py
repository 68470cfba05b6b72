"""Launches distributed runs, also on machines without a GPU, where OpenMMLab's own launch cannot start."""

import gc
import os
from collections.abc import Iterator

import torch
from mmengine.config import Config
from mmengine.dist import init_dist, is_main_process
from torch import distributed

from attn_plugins.errors import UserError

SYNC_BN = ('SyncBN', 'MMSyncBN')


def init_distributed(cfg: Config, launcher: str) -> None:
    """Prepares a config, in place, for the processes it will run in.

    The process group is made here and not by the Runner, so that processes agree before the Runner is built. Without a
    GPU OpenMMLab's launch fails (it chooses a CUDA device in every case): there gloo is the backend, and the model is
    wrapped without devices.

    Args:
        cfg (Config): The config of the run.
        launcher (str): 'none', 'pytorch', 'slurm' or 'mpi'.

    Raises:
        UserError: Another launcher than torchrun on a machine without a GPU, or torchrun's variables are not set.
    """
    cfg.launcher = launcher
    if launcher == 'none':
        return
    if torch.cuda.is_available():
        if not distributed.is_initialized():
            init_dist(launcher, **(cfg.get('env_cfg') or {}).get('dist_cfg', {}))
        return
    if launcher != 'pytorch':
        raise UserError(
            f'--launcher {launcher} needs a GPU: without one use tools/dist_train.sh CONFIG PROCESSES'
        )
    if 'RANK' not in os.environ:
        raise UserError('--launcher pytorch runs under torchrun: use tools/dist_train.sh CONFIG PROCESSES')
    if not distributed.is_initialized():
        distributed.init_process_group('gloo')
    cfg.merge_from_dict({'env_cfg.dist_cfg.backend': 'gloo'})
    wrapper = dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )
    wrapper.update(cfg.get('model_wrapper_cfg') or {})
    cfg.model_wrapper_cfg = dict(wrapper, device_ids=None)
    count = _unsync(cfg)
    if count and is_main_process():
        print(
            f'no GPU: {count} synchronised norms of the config run as plain batch norms, each process with the '
            'statistics of its own images',
            flush=True,
        )


def end_distributed() -> None:
    """Destroys the process group, if there is one, and releases it.

    A finished runner still holds it in reference cycles. If it lived until the interpreter ends, gloo's threads would
    release their last tensors without an interpreter, which sometimes aborts the process (pytorch/pytorch#179291).
    """
    if distributed.is_initialized():
        distributed.destroy_process_group()
        gc.collect()


def _unsync(cfg: Config) -> int:
    """Turns SyncBN, which refuses CPU tensors, into BN, and `sync=True` of our norm layers off; counts both."""
    count = 0
    if cfg.get('sync_bn'):
        cfg.sync_bn = None
        count += 1
    for part in _dicts(cfg.model):
        if part.get('type') in SYNC_BN:
            part['type'] = 'BN'
            count += 1
        if part.get('sync') is True and str(part.get('type')).startswith('attn_plugins.'):
            part['sync'] = False
            count += 1
    return count


def _dicts(value) -> Iterator[dict]:
    """Yields every dict within a config's value."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _dicts(item)
