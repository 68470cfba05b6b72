"""Resumes a training so that it equals, to the bit, the same training without an interruption.

Nothing random depends on what came before (`loops.py`). What mmengine leaves out of a checkpoint is saved beside the
weights: gradients that wait for the next step, and the counters of modules and of the early-stopping hook. A validation
that was due when the checkpoint was written is run after resuming. A training that cannot be continued in this way is
resumed all the same, and is marked with the reason.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from mmengine.dist import broadcast, get_world_size
from mmengine.hooks import EarlyStoppingHook, Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import Tensor, nn

from attn_plugins.randomness import seed_streams
from attn_plugins.registry import LIBRARIES
from attn_plugins.training.batches import draws_alike, same
from attn_plugins.training.loops import ExactEpochLoop, ExactLoop

# Key in a checkpoint, beside mmengine's: what a resumed training needs to be the same.
KEY = 'attn_resume'
# Attributes that torch keeps of every module: hooks, parameters, the mode.
OF_TORCH = frozenset(vars(nn.Module()))
# Larger tensors and arrays that a module keeps are taken to be caches.
MOST_NUMBERS = 1_000_000
# Key in mmengine's message hub, which is part of every checkpoint: why a training differs from an uninterrupted one.
INEXACT = 'resumed_inexactly'


class ResumeHook(Hook):
    """Saves in checkpoints what mmengine leaves out of them, restores it, and logs whether a resumed training is exact.

    If it is not, the reason is noted in the message hub (`INEXACT`).

    Args:
        changed (str): Which settings have changed since the training began, in words.
    """

    priority = 'LOWEST'  # the other hooks have then prepared what a validation needs

    def __init__(self, changed: str = ''):
        self.changed = changed
        self.fresh: dict | None = None
        self.unvalidated: tuple[list, dict] | None = None  # set during a validation

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Restores the saved state into a training that is resumed; apart from its weights the model is as built."""
        self.kept = checkpoint.get(KEY)
        self._look(runner)
        if self.kept is not None and runner.cfg.get('resume'):
            _give_back(runner, self.kept)

    def before_train(self, runner: Runner) -> None:
        """Logs whether the training is exact, and runs a validation that is due."""
        if self.fresh is None:
            self._look(runner)
        if runner.iter == 0:
            return
        loop = runner.train_loop
        if isinstance(loop, ExactEpochLoop):
            loop.first = self.kept['first'] if self.kept else loop.epoch * len(loop.dataloader)
        reason = runner.message_hub.get_info(INEXACT) or self._why_inexact(runner)
        if reason:
            runner.message_hub.update_info(INEXACT, reason)
            runner.logger.warning(f'resumed, but not as if there had been no break: {reason}')
        else:
            runner.logger.info('resumed as if there had been no break, to the bit')
        if isinstance(loop, ExactLoop) and loop.was_due():
            runner.logger.info('the validation that was due at the break')
            runner.val_loop.run()

    def _look(self, runner: Runner) -> None:
        """Notes the counters before the training changes them."""
        self.fresh, self.fresh_hooks = deepcopy(_counts(runner)), deepcopy(_users_hooks(runner))

    def before_val_epoch(self, runner: Runner) -> None:
        """Notes the state before a validation, and makes all processes validate with the same running statistics.

        mmengine saves the checkpoint once more when the validation gives a new best one; by then some hooks know the
        result and some do not.

        These are the first process's, which are those that a checkpoint keeps.
        """
        loop = runner.train_loop
        if isinstance(loop, ExactLoop):
            seed_streams(*loop.key, 'validation', runner.iter)
            self.unvalidated = deepcopy(_stepped(runner))
            for buffer in runner.model.buffers():
                broadcast(buffer)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Forgets the state before the validation: all hooks know its result now."""
        self.unvalidated = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Adds what mmengine leaves out; only the main process saves.

        What a validation changes is saved as it was before, since the resumed training runs the validation again.
        """
        if self.unvalidated is not None and 'optimizer' in checkpoint:
            schedules, groups = self.unvalidated
            if 'param_schedulers' in checkpoint:
                checkpoint['param_schedulers'] = schedules
            checkpoint['optimizer'] = {**checkpoint['optimizer'], **groups}
        model = _plain(runner.model)
        waiting = {name: p.grad.detach().cpu() for name, p in model.named_parameters() if p.grad is not None}
        loop, meta = runner.train_loop, checkpoint['meta']
        within = isinstance(loop, ExactEpochLoop) and meta['epoch'] == loop.epoch
        checkpoint[KEY] = dict(
            seed=runner.seed,
            first=loop.first if within else meta['iter'],
            hooks=[
                name
                for name, values in _users_hooks(runner).items()
                if _changed(self.fresh_hooks.get(name, values), values)
            ],
            processes=get_world_size(),
            threads=_threads(runner),
            counts=_changed(self.fresh, _counts(runner)),
            gradients=waiting,
        )

    def _why_inexact(self, runner: Runner) -> str:
        loop, kept = runner.train_loop, self.kept
        if kept is None:
            return 'its checkpoint is of another tool, or of before these were made for it'
        if not isinstance(loop, ExactLoop) or loop.batches is None:
            what = (
                type(loop).__name__
                if not isinstance(loop, ExactLoop)
                else type(loop.dataloader.dataset).__name__
            )
            return f'{what} does not say what comes after a break'
        if self.changed:
            return f'it was begun with other settings: {self.changed}'
        if kept['processes'] != get_world_size():
            return f'it was begun by {kept["processes"]} processes and goes on with {get_world_size()}'
        if kept.get('threads') and _threads(runner) and kept['threads'] != _threads(runner):
            return f'its number of CPU threads was {kept["threads"]} and is {_threads(runner)}'
        if kept['seed'] != loop.key[0]:
            return f'it was begun with the seed {kept["seed"]} and goes on with {loop.key[0]}'
        if kept['gradients'] and get_world_size() > 1:
            return 'gradients of the other processes were waiting for the next step, which only the first one kept'
        if kept['hooks']:
            return f'{" and ".join(kept["hooks"])} had changed values of its own by then, which no checkpoint has'
        if not draws_alike(loop.dataloader.dataset):
            return 'what its transforms make of an image depends on the images before it'
        return ''


def _threads(runner: Runner) -> int | None:
    """Returns the number of threads by which sums on the CPU are split, and so rounded; None on a GPU."""
    parameter = next(runner.model.parameters(), None)
    return torch.get_num_threads() if parameter is None or parameter.device.type == 'cpu' else None


def _stepped(runner: Runner) -> tuple[list, dict]:
    """Returns what schedules change: their own state, and the optimizer's settings by group."""
    optimizer = runner.optim_wrapper.state_dict() if isinstance(runner.optim_wrapper, OptimWrapper) else {}
    schedules = runner.param_schedulers if isinstance(runner.param_schedulers, list) else []
    groups = {name: optimizer[name] for name in ('param_groups', 'base_param_settings') if name in optimizer}
    return [schedule.state_dict() for schedule in schedules], groups


def _plain(model: nn.Module) -> nn.Module:
    return model.module if is_model_wrapper(model) else model


def _counting(runner: Runner) -> Iterator[tuple[str, Any]]:
    """Yields by name the objects that keep counters: the model's modules, and the early-stopping hook."""
    yield from _plain(runner.model).named_modules()
    for hook in runner.hooks:
        if isinstance(hook, EarlyStoppingHook):
            yield type(hook).__name__, hook


def _users_hooks(runner: Runner) -> dict[str, dict]:
    """Collects the values kept by hooks of no known library, by the hook's name.

    Nobody can tell whether these values are counters or caches.
    """
    return {
        type(hook).__name__: {name: value for name, value in vars(hook).items() if _is_plain(value)}
        for hook in runner.hooks
        if type(hook).__module__.partition('.')[0] not in (*LIBRARIES, 'mmengine', 'attn_plugins')
    }


def _counts(runner: Runner) -> dict[tuple[str, str], Any]:
    """Collects all values that modules keep beside their parameters and buffers, by module and attribute."""
    return {
        (name, attribute): value
        for name, part in _counting(runner)
        for attribute, value in vars(part).items()
        if attribute not in OF_TORCH and not attribute.startswith('attn_') and _is_plain(value)
    }


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_plain, value)) and all(map(_is_plain, value.values()))
    if isinstance(value, (list, tuple, set)):
        return all(map(_is_plain, value))
    if isinstance(value, (Tensor, np.ndarray)):
        size = value.numel() if isinstance(value, Tensor) else value.size
        return size <= MOST_NUMBERS and not getattr(value, 'requires_grad', False)
    return value is None or isinstance(value, (bool, int, float, str))


def _changed(before: Mapping, now: Mapping) -> dict:
    missing = object()
    return {key: deepcopy(value) for key, value in now.items() if not same(before.get(key, missing), value)}


def _give_back(runner: Runner, kept: dict) -> None:
    parts = dict(_counting(runner))
    for (name, attribute), value in kept['counts'].items():
        if name in parts:
            setattr(parts[name], attribute, deepcopy(value))
    for name, parameter in _plain(runner.model).named_parameters():
        if name in kept['gradients']:
            parameter.grad = kept['gradients'][name].to(parameter)
