"""Loads a model to be visualized: built from its config, with the weights of a checkpoint, in eval mode."""

from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import DATASETS
from torch import nn

from attn_plugins.errors import UserError
from attn_plugins.registry import nearest
from attn_plugins.training.checkpoint import latest_checkpoint
from attn_plugins.training.evaluation import load_model, read_checkpoint
from attn_plugins.training.library import library_of

RANDOM = 'random weights'


@dataclass(frozen=True)
class LoadedModel:
    """A model that is ready to be visualized.

    Attributes:
        name: Its name in pictures.
        cfg: Its config.
        library: 'mmpretrain', 'mmdet' or 'mmseg'.
        model: In eval mode, with gradients for every parameter: frozen stages have maps too.
        classes: Their names, in the order of the model's outputs; empty if they are unknown.
        weights: Where the weights come from, or `RANDOM`.
    """

    name: str
    cfg: Config
    library: str
    model: nn.Module
    classes: tuple[str, ...]
    weights: str

    def class_name(self, index: int) -> str:
        """Returns the name of a class, or its number if the name is unknown."""
        return self.classes[index] if index < len(self.classes) else str(index)

    def class_index(self, word: str) -> int:
        """Returns the number of the class that a user names, by its name or, if no class has that name, its number.

        Raises:
            UserError: There is no such class.
        """
        if word in self.classes:
            return self.classes.index(word)
        if word.isdecimal() and (not self.classes or int(word) < len(self.classes)):
            return int(word)
        raise UserError(f'{self.name} has no class {word!r}: {nearest(word, self.classes)}')


def load_subject(cfg: Config, checkpoint: str | Path | None = None, name: str = 'model') -> LoadedModel:
    """Builds a config's model and loads a checkpoint into it.

    Args:
        cfg: The config.
        checkpoint: The file; None leaves the weights random, which the subject records.
        name: Its name in pictures.

    Raises:
        UserError: The config is of none of the three libraries, or the checkpoint cannot be used or is of another
            model.
    """
    model, meta = load_model(cfg, checkpoint)
    meta = meta.get('dataset_meta') or {}
    model.requires_grad_(True)
    library = library_of(cfg)
    classes = meta.get('classes') or meta.get('CLASSES') or _classes_of(cfg, library)
    weights = RANDOM if checkpoint is None else Path(checkpoint).name
    return LoadedModel(name, cfg, library, model, tuple(map(str, classes)), weights)


def load_trained(path: str | Path, name: str) -> LoadedModel:
    """Loads a model from a work dir, whose last checkpoint is used, or from a checkpoint.

    Raises:
        UserError: There is no checkpoint, or it does not hold the config that it was trained with.
    """
    path = Path(path)
    checkpoint = path
    if path.is_dir():
        checkpoint = latest_checkpoint(path)
        if checkpoint is None:
            raise UserError(f'{path} holds no whole checkpoint: train there first, or name another folder')
    config = (read_checkpoint(checkpoint).get('meta') or {}).get('cfg')
    if not isinstance(config, str):
        raise UserError(
            f'{checkpoint} does not hold the config that it was trained with: give CONFIG and CHECKPOINT in '
            'place of --model'
        )
    return load_subject(Config.fromstring(config, '.py'), checkpoint, name)


def _classes_of(cfg: Config, library: str) -> tuple[str, ...]:
    """Returns the classes that the config's test data set names, or those that its class defines."""
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    named = (dataset.get('metainfo') or {}).get('classes')
    if named:
        return named
    kind = dataset.get('type')
    if isinstance(kind, str):
        kind = DATASETS.get(kind if '.' in kind else f'{library}.{kind}')
    return (getattr(kind, 'METAINFO', None) or {}).get('classes') or ()
