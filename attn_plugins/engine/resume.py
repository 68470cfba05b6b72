"""Trains so that a training that was cut off and resumed is, to the bit, the one that was not.

All randomness of an iteration follows from the run's seed, the process and the iteration's number: that of its images
(`batches.py`) and that of the model (dropout), so none depends on what came before. What mmengine leaves out of a checkpoint stands
beside the weights: gradients that wait for the next step, and what modules, and the hook that stops early, count. A validation that
was due when the checkpoint was written is made up for. What cannot be continued so goes on all the same, and is marked with the reason.

mmengine saves no random state, knows the checkpoint's seed only after its data were built with another, and begins an epoch anew in
which it was cut off.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import numpy as np
from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import EarlyStoppingHook, Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from mmengine.runner.base_loop import BaseLoop
from torch import Tensor, nn

from attn_plugins.engine.batches import draws_alike, number_batches, same
from attn_plugins.engine.quiet_runner import QuietRunner
from attn_plugins.randomness import seed_streams
from attn_plugins.registry import LIBRARIES

# In a checkpoint, beside mmengine's keys: what a resumed training needs to be the same.
KEY = 'attn_resume'
# What torch keeps of every module: hooks, parameters, the mode.
OF_TORCH = frozenset(vars(nn.Module()))
# Larger tensors and arrays that a module keeps are caches.
MOST_NUMBERS = 1_000_000
# In mmengine's message hub, which is a part of every checkpoint: why a training is not the one that it would have been.
INEXACT = 'resumed_inexactly'


class ExactLoop:
    """What both loops have: numbered batches, and random numbers of each iteration's own."""

    endless = False

    def __init__(self, runner: Runner, dataloader: Any, *args, **kwargs):
        if isinstance(dataloader, dict):
            apart = runner.cfg.get('randomness', {}).get('diff_rank_seed', False)
            dataloader = runner.build_dataloader(dataloader, seed=runner.seed, diff_rank_seed=apart)
        self.key = int(runner.seed), get_rank()
        self.batches = number_batches(dataloader, self.key, self.endless)
        super().__init__(runner, dataloader, *args, **kwargs)

    def is_due(self, now: int, most: int) -> bool:
        """Whether there is a validation after this epoch, or iteration, of so many."""
        self._decide_current_val_interval()
        return (
            self.runner.val_loop is not None
            and now >= self.val_begin
            and (now % self.val_interval == 0 or now == most)
        )


class ExactEpochLoop(ExactLoop, EpochBasedTrainLoop):
    """mmengine's loop over epochs, which goes on in the middle of one too."""

    def was_due(self) -> bool:
        """Whether a validation was due when the checkpoint was written, which is before it."""
        return self._iter == self.first and self._epoch > 0 and self.is_due(self._epoch, self._max_epochs)

    #: The epoch's first iteration; a checkpoint within it says which it was, as batch samplers may give fewer batches than they say.
    first = 0

    def run_epoch(self) -> None:
        """One epoch, or what is left of it."""
        if self.batches is not None:
            self.batches.begin(self.first, self._iter)
        super().run_epoch()
        self.first = self._iter

    def run_iter(self, idx: int, data_batch: Any) -> None:
        """One iteration; its index is that in the whole epoch."""
        seed_streams(*self.key, self._iter)
        super().run_iter(self._iter - self.first, data_batch)


class ExactIterationLoop(ExactLoop, IterBasedTrainLoop):
    """mmengine's loop over iterations, which reads none of the images again that it has been trained with."""

    endless = True

    def was_due(self) -> bool:
        """Whether a validation was due when the checkpoint was written, which is before it."""
        return self._iter > 0 and self.is_due(self._iter, self._max_iters)

    def run(self) -> nn.Module:
        """Trains."""
        if self.batches is None:
            return super().run()
        self.runner.call_hook('before_train')
        self.runner.call_hook('before_train_epoch')
        self.batches.begin(0, self._iter)
        batches = iter(self.dataloader)
        while self._iter < self._max_iters and not self.stop_training:
            self.runner.model.train()
            self.run_iter(next(batches))
            if self.is_due(self._iter, self._max_iters):
                self.runner.val_loop.run()
        self.runner.call_hook('after_train_epoch')
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_iter(self, data_batch: Any) -> None:
        """One iteration."""
        seed_streams(*self.key, self._iter)
        super().run_iter(data_batch)


# mmengine's loops -> those that stand for them; another loop of a library or a user stays as it is.
EXACT = {EpochBasedTrainLoop: ExactEpochLoop, IterBasedTrainLoop: ExactIterationLoop}


class ExactRunner(QuietRunner):
    """A Runner whose loops are exact where its config asks for mmengine's."""

    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """mmengine's, with the loops that stand for its own."""
        if isinstance(loop, dict):
            by_epoch = loop.get('by_epoch')
            kind = loop.get(
                'type', by_epoch is not None and ('EpochBased', 'IterBased')[not by_epoch] + 'TrainLoop'
            )
            exact = next(
                (EXACT[each] for each in EXACT if kind in (each, each.__name__, f'mmengine.{each.__name__}')),
                None,
            )
            if exact is not None:
                others = {name: value for name, value in loop.items() if name not in ('type', 'by_epoch')}
                return exact(self, self._train_dataloader, **others)
        return super().build_train_loop(loop)


class ResumeHook(Hook):
    """Keeps in checkpoints what mmengine leaves out of them, gives it back, and says whether a resumed training is the same.

    In the message hub it notes the reason if it is not (`INEXACT`).

    Args:
        changed (str): What of the settings is another now than when the training began, in words.
    """

    priority = 'LOWEST'  # the others have then prepared what a validation needs

    def __init__(self, changed: str = ''):
        self.changed = changed
        self.fresh: dict | None = None
        self.unvalidated: tuple[list, dict] | None = None  # while there is a validation

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Of a training that is resumed. The model is as it was built, but for its weights."""
        self.kept = checkpoint.get(KEY)
        self._look(runner)
        if self.kept is not None and runner.cfg.get('resume'):
            _give_back(runner, self.kept)

    def before_train(self, runner: Runner) -> None:
        """Says how it stands, and makes up for a validation."""
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
        """What there is before the training counts in it."""
        self.fresh, self.fresh_hooks = deepcopy(_counts(runner)), deepcopy(_users_hooks(runner))

    def before_val_epoch(self, runner: Runner) -> None:
        """mmengine saves the checkpoint once more when the validation gives a new best one, of which some hooks know then and some do not."""
        loop = runner.train_loop
        if isinstance(loop, ExactLoop):
            seed_streams(*loop.key, 'validation', runner.iter)
            self.unvalidated = deepcopy(_stepped(runner))

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """All hooks know of it."""
        self.unvalidated = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """The main process alone saves. What a validation changes is as it was before it, as the next training makes up for it."""
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
        if kept['seed'] != loop.key[0]:
            return f'it was begun with the seed {kept["seed"]} and goes on with {loop.key[0]}'
        if kept['gradients'] and get_world_size() > 1:
            return 'gradients of the other processes were waiting for the next step, which only the first one kept'
        if kept['hooks']:
            return f'{" and ".join(kept["hooks"])} had changed values of its own by then, which no checkpoint has'
        if not draws_alike(loop.dataloader.dataset):
            return 'what its transforms make of an image depends on the images before it'
        return ''


def _stepped(runner: Runner) -> tuple[list, dict]:
    """What schedules change: their own state, and the optimizer's settings by group."""
    optimizer = runner.optim_wrapper.state_dict() if isinstance(runner.optim_wrapper, OptimWrapper) else {}
    schedules = runner.param_schedulers if isinstance(runner.param_schedulers, list) else []
    groups = {name: optimizer[name] for name in ('param_groups', 'base_param_settings') if name in optimizer}
    return [schedule.state_dict() for schedule in schedules], groups


def _plain(model: nn.Module) -> nn.Module:
    return model.module if is_model_wrapper(model) else model


def _counting(runner: Runner) -> Iterator[tuple[str, Any]]:
    """What counts by itself, by name: the model's modules, and the hook that stops early."""
    yield from _plain(runner.model).named_modules()
    for hook in runner.hooks:
        if isinstance(hook, EarlyStoppingHook):
            yield type(hook).__name__, hook


def _users_hooks(runner: Runner) -> dict[str, dict]:
    """The values that hooks keep which are of no library, by the hook's name: whether they are counts or caches nobody can tell."""
    return {
        type(hook).__name__: {name: value for name, value in vars(hook).items() if _is_plain(value)}
        for hook in runner.hooks
        if type(hook).__module__.partition('.')[0] not in (*LIBRARIES, 'mmengine', 'attn_plugins')
    }


def _counts(runner: Runner) -> dict[tuple[str, str], Any]:
    """All values that modules keep beside their parameters and buffers, by module and attribute."""
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
