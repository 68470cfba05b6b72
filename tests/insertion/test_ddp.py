"""Two processes with half a batch each compute the gradients of one process with the whole batch."""

import os
import subprocess
import sys
from pathlib import Path

import torch

from tests.insertion.hosts import CA, IEBN, plugged, settle

DIA = dict(type='attn_plugins.DIA', reduction=4)
CASES = {
    'CA': ('mmpretrain MobileNetV2', CA, None),
    'IEBN': ('mmpretrain MobileNetV2', IEBN, None),
    'DIA': ('mmpretrain ResNet-18', DIA, 'stage'),
}
WORKER = """
import gc, sys, torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel
from tests.insertion.test_ddp import CASES, loss_of, model_of
distributed.init_process_group('gloo')
rank = distributed.get_rank()
def step(name):
    model = model_of(name)
    x = torch.load(f'{sys.argv[1]}/x.pth')[2 * rank:2 * rank + 2]
    parallel = DistributedDataParallel(model)  # must outlive the backward pass, in which it averages
    loss_of(parallel, x).backward()
    if rank == 0:
        torch.save({key: p.grad for key, p in model.named_parameters()}, f'{sys.argv[1]}/{name}.pth')
for name in CASES:
    step(name)
distributed.destroy_process_group()
gc.collect()  # as end_distributed does
"""


def model_of(name: str) -> torch.nn.Module:
    """The same weights and statistics in every process, batch norms in evaluation, float64."""
    torch.manual_seed(0)
    host, cfg, share = CASES[name]
    model = plugged(host, cfg, share=share).double()
    settle(host, model)
    return model


def loss_of(model: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    return model(x)[-1].square().mean()


def test_two_processes_equal_one(tmp_path):
    x = torch.randn(4, 3, 32, 32, dtype=torch.float64)
    torch.save(x, tmp_path / 'x.pth')
    (tmp_path / 'worker.py').write_text(WORKER)
    root = Path(__file__).parents[2]
    subprocess.run(
        [
            sys.executable,
            '-m',
            'torch.distributed.run',
            '--standalone',
            '--nproc_per_node=2',
            tmp_path / 'worker.py',
            tmp_path,
        ],
        check=True,
        cwd=root,
        env={**os.environ, 'PYTHONPATH': str(root), 'OMP_NUM_THREADS': '1'},
    )
    for name in CASES:
        model = model_of(name)
        loss_of(model, x).backward()
        gradients = torch.load(tmp_path / f'{name}.pth')
        assert gradients and all(value is not None for value in gradients.values())
        for key, parameter in model.named_parameters():
            difference = (gradients[key] - parameter.grad).abs().max()
            assert difference <= 1e-10 * parameter.grad.abs().max(), key
