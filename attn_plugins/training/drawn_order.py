"""Shuffles the order of test images for models that it matters to: data sets are mostly sorted by class."""

from mmengine.dataset import DefaultSampler
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader

#: The seed of the order.
SEED = 0


class DrawnOrderHook(Hook):
    """Shuffles the images of tests and validations if a gate of the model depends on the images before.

    The metrics are computed on the same images; a model without such a gate keeps the config's order.
    """

    def before_val(self, runner: Runner) -> None:
        """Shuffles the images of a validation."""
        self._draw(runner, runner.val_dataloader, 'val_dataloader')

    def before_test(self, runner: Runner) -> None:
        """Shuffles the images of a test."""
        self._draw(runner, runner.test_dataloader, 'test_dataloader')

    def _draw(self, runner: Runner, loader: DataLoader, name: str) -> None:
        if not any(getattr(module, 'order_matters', False) for module in runner.model.modules()):
            return
        sampler = loader.batch_sampler.sampler
        if not isinstance(sampler, DefaultSampler):
            runner.logger.warning(
                f'shuffled_images: {type(sampler).__name__} goes through the images in its own order, and if '
                'that is by class '
                f"many get the gate of their own: set {name}.sampler=dict(type='DefaultSampler', shuffle=True)"
            )
        elif not sampler.shuffle:
            sampler.shuffle, sampler.seed = True, SEED
            runner.logger.info(
                f'shuffled_images: the images of {name} come in an order drawn with the seed {SEED}, as by '
                'class each would get the gate of its own'
            )
