"""Records the initial weights of a training, so that trainings with the same seed can be checked for the same start."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor, nn

from attn_plugins.files import write_json
from attn_plugins.insertion.tree import held_layers, own_keys


class StartHook(Hook):
    """Writes a digest of each initial weight of a training, except those of inserted layers.

    Args:
        path (Path): The file, JSON: the weight's name -> its shape and the beginning of its SHA-256. A resumed training
            leaves it as it is.
        given (Sequence[str]): Parts of the model that start from trained weights of their own, which are left out.
    """

    priority = 'LOWEST'

    def __init__(self, path: Path, given: Sequence[str] = ()):
        self.path, self.given = path, tuple(f'{part}.' for part in given)

    def before_train(self, runner: Runner) -> None:
        """Writes the digests: every weight is loaded now."""
        if runner.iter == 0 and is_main_process():
            model = runner.model.module if is_model_wrapper(runner.model) else runner.model
            digests = start_digests(model)
            kept = {name: digest for name, digest in digests.items() if not name.startswith(self.given)}
            write_json(self.path, kept, indent=0)


def start_digests(model: nn.Module) -> dict[str, str]:
    """Returns each weight's name -> its shape and a digest of its values, without those of inserted layers."""
    layers = {f'{name}.{key}' for name, layer in held_layers(model) for key in own_keys(layer)}
    return {name: _digest(value) for name, value in model.state_dict().items() if name not in layers}


def _digest(value: Tensor) -> str:
    numbers = value.detach().cpu().contiguous().flatten()
    return (
        f'{"x".join(map(str, value.shape))} '
        f'{hashlib.sha256(numbers.view(torch.uint8).numpy().tobytes()).hexdigest()[:12]}'
    )


def start_hash(digests: dict[str, str]) -> str:
    """Computes one hash of all digests: it is equal if every weight is."""
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()
