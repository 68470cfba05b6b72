"""The teacher: a model built from a config beside the student, frozen, in no state dict, and run once per step."""

import os
from copy import deepcopy
from pathlib import Path

import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS as MMENGINE_MODELS
from torch import Tensor, nn

from attn_plugins.distillation.features import Features
from attn_plugins.distillation.losses.input_gradient import input_gradient
from attn_plugins.errors import UserError
from attn_plugins.mim import CONFIGS, VARIABLE, shipped
from attn_plugins.training.checkpoint import check_fits, read_weights

# The parts of a model that `extract_feat` runs.
TRUNK = ('backbone', 'neck')


class Teacher:
    """A teacher that is built when it is needed. It is no `nn.Module`, so that it is no part of the student.

    Args:
        cfg (dict, optional): The teacher's config, as `Distiller` takes it.
        data_preprocessor (dict, optional): Used if the teacher's config has none.
        random (bool): Whether it may be without trained weights.
    """

    def __init__(self, cfg: dict | None, data_preprocessor: dict | None, random: bool):
        self.cfg = deepcopy(dict(cfg)) if cfg else None
        self.default, self.random = deepcopy(data_preprocessor), random
        self.model: nn.Module | None = None

    @property
    def given(self) -> bool:
        """Whether the config has one."""
        return self.cfg is not None

    @property
    def start(self) -> dict | None:
        """Its `init_cfg` of trained weights, None if it is to be random.

        Raises:
            UserError: It has none, but random weights were not asked for.
        """
        starts = self.cfg.get('init_cfg') or []
        for start in starts if isinstance(starts, (list, tuple)) else [starts]:
            if start.get('type') == 'Pretrained':
                return dict(start)
        if self.random:
            return None
        raise UserError(
            'the teacher has no trained weights, so there is nothing to learn from it: give teacher.init_cfg=dict('
            "type='Pretrained', checkpoint=FILE), or random_teacher=True if that is the question"
        )

    def build(self) -> nn.Module:
        """Builds the teacher's model with random weights."""
        cfg = {key: value for key, value in self.cfg.items() if key != 'init_cfg'}
        default = self.default
        if 'config' in cfg:
            content = _load(cfg.pop('config'))
            default = content.get('data_preprocessor', default)
            content.merge_from_dict(dict(model=cfg))
            cfg = ConfigDict(
                content.model, _scope_=content.get('default_scope')
            )  # its items can be read as attributes, too
        if default is not None:
            cfg.setdefault('data_preprocessor', deepcopy(default))
        with MMENGINE_MODELS.switch_scope_and_registry(None) as registry:
            return registry.build(deepcopy(cfg))

    def make(self, student: nn.Module, paths: list[str]) -> nn.Module:
        """Builds the teacher on the student's device, frozen, with hooks at the paths.

        Raises:
            UserError: A path is not in it, or it sees other images than the student.
        """
        model = self.build()
        _check_images(student, model)
        self.features = Features(model, paths, 'teacher')
        self.whole = any(path.split('.')[0] not in TRUNK for path in paths)
        self.model = model.to(_device(student)).eval().requires_grad_(False)
        return self.model

    def load_weights(self) -> None:
        """Loads the trained weights, all of them; draws random ones where these were asked for.

        Raises:
            UserError: The checkpoint is of another model.
        """
        start = self.start
        if start is None:
            self.model.init_weights()
            return
        path, prefix = start['checkpoint'], start.get('prefix') or ''
        if prefix and not prefix.endswith('.'):
            prefix += '.'  # as mmengine does
        weights = {
            key.removeprefix(prefix): value
            for key, value in read_weights(path).items()
            if key.startswith(prefix)
        }
        advice = 'give the teacher the config that it was trained with'
        check_fits(dict(state_dict=weights), self.model, path, advice)
        self.model.load_state_dict(weights, strict=False)  # old weights without num_batches_tracked fit too

    def run(self, batch: dict, by_gradient: bool) -> tuple[dict[str, list], Tensor | None]:
        """Runs one forward pass on a batch.

        Args:
            batch (dict): The student's `inputs` and `data_samples`.
            by_gradient (bool): Whether to compute the gradient of its loss with respect to the images.

        Returns:
            The outputs of its modules, and the gradient.
        """
        images, samples = batch['inputs'].detach(), batch.get('data_samples')
        with self.features.reading():
            if by_gradient:
                images = images.requires_grad_()
                with torch.enable_grad():
                    losses = self.model(inputs=images, data_samples=samples, mode='loss')
                    total, _ = self.model.parse_losses(losses)
                gradient = input_gradient(total, images, len(images), create_graph=False).detach()
                return self.features.stop(), gradient
            with torch.no_grad():
                if self.whole:
                    self.model(inputs=images, data_samples=samples, mode='tensor')
                else:
                    self.model.extract_feat(images)
            return self.features.stop(), None


def _load(path: str) -> Config:
    """Loads a config: `PACKAGE::CONFIG`, a file from the current directory, or one of this package's (configs/...).

    It keeps its own preset, whatever preset is chosen for the student.

    Raises:
        UserError: There is none.
    """
    for file in (shipped(path), Path(path), CONFIGS.parent / path):
        if file is not None and file.is_file():
            chosen = os.environ.pop(VARIABLE, None)  # the student's preset
            try:
                return Config.fromfile(file)
            finally:
                if chosen is not None:
                    os.environ[VARIABLE] = chosen
    raise UserError(
        f"there is no config {path}, of which the teacher is to be: give the path of its config's file"
    )


def _check_images(student: nn.Module, teacher: nn.Module) -> None:
    """Refuses a teacher that normalises images in another way, because it is given the student's batch as it is.

    Raises:
        UserError: It normalises them in another way.
    """
    probe = torch.arange(3 * 64 * 64).remainder(251).to(torch.uint8).view(3, 64, 64)  # no two channels alike
    ours, theirs = (
        model.data_preprocessor(dict(inputs=[probe.to(_device(model))], data_samples=None), False)['inputs']
        .cpu()
        .float()
        for model in (student, teacher)
    )
    if ours.shape != theirs.shape or not torch.allclose(ours, theirs, atol=1e-3):
        raise UserError(
            "the teacher's data_preprocessor makes other values of an image than the student's (mean, std, "
            'order of colours or '
            'padding), and it is given the same batch: train both with the same one'
        )


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device
