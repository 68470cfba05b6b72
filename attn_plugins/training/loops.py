"""Replaces mmengine's two training loops by ones whose randomness does not depend on the past and that resume anywhere.

All randomness of an iteration follows from the run's seed, the process and the iteration's number: that of its images
(`batches.py`) and that of the model (dropout). mmengine saves no random state, learns the checkpoint's seed only after
its data were built with another, and starts an interrupted epoch from its beginning.
"""

from typing import Any

from mmengine.dist import get_rank
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from mmengine.runner.base_loop import BaseLoop
from torch import nn

from attn_plugins.randomness import seed_streams
from attn_plugins.training.batches import number_batches
from attn_plugins.training.quiet_runner import QuietRunner


class ExactLoop:
    """What both loops share: numbered batches, and random numbers that belong to each iteration."""

    endless = False

    def __init__(self, runner: Runner, dataloader: Any, *args, **kwargs):
        if isinstance(dataloader, dict):
            apart = runner.cfg.get('randomness', {}).get('diff_rank_seed', False)
            dataloader = runner.build_dataloader(dataloader, seed=runner.seed, diff_rank_seed=apart)
        self.key = int(runner.seed), get_rank()
        self.batches = number_batches(dataloader, self.key, self.endless)
        super().__init__(runner, dataloader, *args, **kwargs)

    def is_due(self, now: int, most: int) -> bool:
        """Tells whether a validation follows epoch, or iteration, `now` of `most`."""
        self._decide_current_val_interval()
        return (
            self.runner.val_loop is not None
            and now >= self.val_begin
            and (now % self.val_interval == 0 or now == most)
        )


class ExactEpochLoop(ExactLoop, EpochBasedTrainLoop):
    """mmengine's loop over epochs, which can also resume in the middle of one."""

    def was_due(self) -> bool:
        """Tells whether a validation was due when the checkpoint was written, which happens before it."""
        return self._iter == self.first and self._epoch > 0 and self.is_due(self._epoch, self._max_epochs)

    #: The epoch's first iteration. A checkpoint within the epoch stores it, as batch samplers may give fewer batches
    #: than their length.
    first = 0

    def run_epoch(self) -> None:
        """Runs one epoch, or the rest of it."""
        if self.batches is not None:
            self.batches.begin(self.first, self._iter)
        super().run_epoch()
        self.first = self._iter

    def run_iter(self, idx: int, data_batch: Any) -> None:
        """Runs one iteration; its index counts from the beginning of the whole epoch."""
        seed_streams(*self.key, self._iter)
        super().run_iter(self._iter - self.first, data_batch)


class ExactIterationLoop(ExactLoop, IterBasedTrainLoop):
    """mmengine's loop over iterations, which after resuming does not load images again that it has trained with."""

    endless = True

    def was_due(self) -> bool:
        """Tells whether a validation was due when the checkpoint was written, which happens before it."""
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
        """Runs one iteration."""
        seed_streams(*self.key, self._iter)
        super().run_iter(data_batch)


# mmengine's loops -> their replacements; other loops of a library or a user stay as they are.
EXACT = {EpochBasedTrainLoop: ExactEpochLoop, IterBasedTrainLoop: ExactIterationLoop}


class ExactRunner(QuietRunner):
    """A Runner that uses the exact loops where its config asks for mmengine's."""

    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Builds the training loop as mmengine does, with the exact loops in place of its own."""
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
