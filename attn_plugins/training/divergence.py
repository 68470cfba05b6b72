"""Stops a training whose loss is no longer finite: everything after that would be NaN too."""

import math

from mmengine.hooks import Hook
from mmengine.optim import AmpOptimWrapper
from mmengine.runner import Runner

from attn_plugins.errors import Diverged

# Iterations in mixed precision that may pass without a finite loss: each of them halves the gradients' scale.
PATIENCE = 50


class FiniteLossHook(Hook):
    """Ends a training with :class:`Diverged` at the first loss that is not finite.

    In mixed precision it ends once the loss stays so.
    """

    def __init__(self):
        self.in_a_row = 0

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Checks the loss that mmengine has just logged."""
        if 'train/loss' not in runner.message_hub.log_scalars:
            return
        loss = runner.message_hub.get_scalar('train/loss').current()
        self.in_a_row = 0 if math.isfinite(loss) else self.in_a_row + 1
        if self.in_a_row > (PATIENCE if isinstance(runner.optim_wrapper, AmpOptimWrapper) else 0):
            raise Diverged(
                f'the loss is {loss} at iteration {runner.iter + 1} of {runner.max_iters}, so this training '
                'has diverged: lower the learning rate, warm it up or clip the gradients'
            )
