"""Finds which of the three libraries a config belongs to, and does what that library's own tools do before a run."""

from copy import deepcopy
from importlib import import_module

import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from torch import nn

from attn_plugins.datasets.check import LOADERS
from attn_plugins.errors import UserError
from attn_plugins.registry import LIBRARIES, register


def library_of(cfg: Config) -> str:
    """Returns the library of a config, read from its `default_scope`.

    Raises:
        UserError: The config names none of the three.
    """
    scope = cfg.get('default_scope')
    if scope not in LIBRARIES:
        raise UserError(
            f'{cfg.filename or "the config"} has default_scope = {scope!r}: build it on one of configs/_base_/'
            f'runtime_*.py, or set default_scope to {", ".join(LIBRARIES[:-1])} or {LIBRARIES[-1]}'
        )
    return scope


def build_model(cfg: Config) -> nn.Module:
    """Builds the config's model as a Runner builds it, with random weights.

    It is built from a copy: models write into the config that they are built from (`pretrained` moves into the
    backbone's) and keep parts of it. A second build would get the changed config, and share those parts with the first.
    """
    library = library_of(cfg)
    register(library)
    model = dict(deepcopy(cfg.model), _scope_=library)
    if cfg.get('data_preprocessor') is not None:
        model.setdefault('data_preprocessor', deepcopy(cfg.data_preprocessor))
    return MODELS.build(model)


def prepare(cfg: Config) -> None:
    """Imports a config's library and does to the config, in place, what that library's own train.py and test.py do."""
    library = library_of(cfg)
    register(library)
    if library == 'mmdet':
        import_module('mmdet.utils').setup_cache_size_limit_of_dynamo()
    for loader in filter(None, map(cfg.get, LOADERS)):
        if library == 'mmpretrain':
            # A value of the config takes precedence over the default.
            loader.setdefault('pin_memory', torch.cuda.is_available())
            loader.setdefault('persistent_workers', loader.get('num_workers', 0) > 0)
            loader.setdefault('collate_fn', dict(type='default_collate'))
        if not loader.get(
            'num_workers'
        ):  # without workers none can persist or fetch ahead, and torch refuses to try
            if loader.get('persistent_workers'):
                loader.persistent_workers = False
            loader.pop('prefetch_factor', None)
