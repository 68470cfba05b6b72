"""Evaluates a trained model outside a training: builds it, loads its weights and runs the config's own test on it."""

from copy import deepcopy
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.runner import CheckpointLoader
from torch import nn
from torch.utils.data import DataLoader, Subset

from attn_plugins.datasets.check import check_data
from attn_plugins.errors import UserError
from attn_plugins.training.checkpoint import check_file, check_fits, weights_of
from attn_plugins.training.drawn_order import SEED, DrawnOrderHook
from attn_plugins.training.library import build_model, prepare
from attn_plugins.training.quiet_runner import QuietRunner


def load_model(cfg: Config, checkpoint: str | Path | None = None) -> tuple[nn.Module, dict]:
    """Builds a config's model in eval mode and loads a checkpoint into it.

    Args:
        cfg: The config.
        checkpoint: The file; None leaves the weights random.

    Returns:
        The model and the checkpoint's `meta`.

    Raises:
        UserError: The config is of none of the three libraries, or the checkpoint cannot be used or is of another
            model.
    """
    prepare(cfg)
    model = build_model(cfg)
    meta = {}
    if checkpoint is not None:
        content = read_checkpoint(checkpoint)
        check_fits(content, model, checkpoint, 'give the config and preset that it was trained with')
        # Not strict: weights from before torch counted batches fit too, and everything else has just been compared.
        model.load_state_dict(weights_of(content), strict=False)
        meta = content.get('meta') or {}
    return model.eval(), meta


def read_checkpoint(path: str | Path) -> dict:
    """Reads a checkpoint file as it was saved, on the CPU.

    Raises:
        UserError: There is no such file, or it holds no weights.
    """
    check_file(path)
    content = CheckpointLoader.load_checkpoint(str(path), map_location='cpu', logger='silent')
    if not isinstance(content, dict):
        raise UserError(f'{path} holds no weights: give a checkpoint that a training run has written')
    return content


class TestData:
    """The config's own test, data and metrics, for models that are already built.

    The data come from mmengine's data loader and go through the model's own `data_preprocessor` and `test_step`, so
    they are those of `tools/test.py`, for classifiers, detectors and segmentors alike.

    Args:
        cfg: A config; it is not changed. If it has no test, its validation is used. Custom hooks are left out: a
            checkpoint already holds what they do to weights (EMA).
        work_dir: Where the log goes.

    Raises:
        UserError: The config has neither, or data are missing.
    """

    __test__ = False  # pytest would take this class for a test because of its name

    def __init__(self, cfg: Config, work_dir: str | Path):
        cfg = deepcopy(cfg)
        if cfg.get('test_cfg') is None:
            cfg.test_cfg = None if cfg.get('val_cfg') is None else {}
            cfg.test_dataloader, cfg.test_evaluator = cfg.get('val_dataloader'), cfg.get('val_evaluator')
        if cfg.test_cfg is None or cfg.get('test_dataloader') is None:
            raise UserError(
                f'{cfg.filename or "the config"} has no test: add test_cfg, test_dataloader and test_evaluator to it'
            )
        check_data(cfg, ('test_dataloader',))
        cfg.work_dir, cfg.custom_hooks, cfg.load_from, cfg.resume = str(work_dir), None, None, False
        prepare(cfg)
        self.runner = QuietRunner.from_cfg(cfg)
        self.runner.register_hook(DrawnOrderHook())
        self.device = get_device()

    def __len__(self) -> int:
        """Returns the number of images."""
        return len(self.runner.test_loop.dataloader.dataset)

    def batches(self, images: int | None = None) -> DataLoader:
        """Returns the test's batches, as its loader makes them for `model.test_step`, of all or of `images` images.

        The order is shuffled with `SEED` over all images, since data sets are mostly sorted by class.
        """
        loader = self.runner.test_loop.dataloader
        drawn = torch.randperm(len(self), generator=torch.Generator().manual_seed(SEED))
        return DataLoader(
            Subset(loader.dataset, drawn[:images].tolist()),
            loader.batch_sampler.batch_size,
            num_workers=loader.num_workers,
            collate_fn=loader.collate_fn,
            worker_init_fn=loader.worker_init_fn,
        )

    def which(self, images: int | None) -> str:
        """Describes in words which images `batches` has."""
        if images is None or images >= len(self):
            return f'{len(self)} test images'
        return f'{images} of {len(self)} test images, drawn with the seed {SEED}'

    def metrics(self, model: nn.Module) -> dict[str, float]:
        """Runs the config's test of a model and returns its metrics by name."""
        self.runner.model = model.to(self.device)
        return {name: float(value) for name, value in self.runner.test().items()}
