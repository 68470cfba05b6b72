"""Two processes with half a batch each compute the gradients of one process with the whole batch, the losses' own
weights' too.
"""

import os
import subprocess
import sys
from pathlib import Path

import torch

from attn_plugins.distillation import distillation_of
from tests.distillation.models import PAIRS, build, classifier, labels

LOSSES = [
    dict(type='attn_plugins.ActivationTransfer'),
    dict(
        type='attn_plugins.FullActivationTransfer', schedule=dict(begin=5)
    ),  # not yet: its weights get zeros
    dict(type='attn_plugins.KnowledgeDistillation'),
    dict(type='attn_plugins.GradientTransfer', weight=100.0),
]
WORKER = """
import gc, sys, torch
from torch import distributed
from mmengine.model import MMDistributedDataParallel
from tests.distillation.test_ddp import gradients_of, student
distributed.init_process_group('gloo')
rank = distributed.get_rank()
def step():
    model = student()
    parallel = MMDistributedDataParallel(model)
    gradients = gradients_of(parallel, model, slice(2 * rank, 2 * rank + 2))
    if rank == 0:
        torch.save(gradients, f'{sys.argv[1]}/gradients.pth')
step()
distributed.destroy_process_group()
gc.collect()  # as end_distributed does
"""


def student() -> torch.nn.Module:
    """The same weights in every process, norms by their running statistics, float64."""
    model = build(classifier(), classifier(1), losses=LOSSES, pairs=PAIRS, logits='head.fc').double()
    distillation_of(model).teacher.model.double()
    for module in model.modules():
        module.training = module is model
    return model


def gradients_of(called: torch.nn.Module, model: torch.nn.Module, part: slice) -> dict[str, torch.Tensor]:
    """The gradients after a step on a part of four images."""
    torch.manual_seed(2)
    images = torch.randn(4, 3, 32, 32, dtype=torch.float64)
    losses = called(inputs=images[part], data_samples=labels(4)[part], mode='loss')
    assert set(losses) == {'loss', 'loss_at', 'loss_fact', 'loss_kd', 'loss_grad'}
    model.parse_losses(losses)[0].backward()
    return {name: parameter.grad for name, parameter in model.named_parameters()}


def test_two_processes_equal_one(tmp_path):
    (tmp_path / 'worker.py').write_text(WORKER)
    root = Path(__file__).parents[2]
    program = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2']
    subprocess.run(
        [*program, tmp_path / 'worker.py', tmp_path],
        check=True,
        cwd=root,
        env={**os.environ, 'PYTHONPATH': str(root), 'OMP_NUM_THREADS': '1'},
    )
    found, model = torch.load(tmp_path / 'gradients.pth'), student()
    expected = gradients_of(model, model, slice(0, 4))
    assert found.keys() == expected.keys() and any('adapters' in name for name in found)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-9, atol=1e-12, msg=name)
