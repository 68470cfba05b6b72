"""Defines the registries: children of mmengine's, so that `type='attn_plugins.X'` resolves from every scope."""

import difflib
import inspect
import logging
import warnings
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from copy import deepcopy
from importlib import import_module
from io import StringIO
from typing import Any

from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS as MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.registry import Registry

from attn_plugins.errors import UserError

# `locations` are imported at the first look-up: a config needs no `custom_imports`.
MODELS = Registry(
    'model',
    parent=MMENGINE_MODELS,
    scope='attn_plugins',
    locations=['attn_plugins.layers', 'attn_plugins.insertion', 'attn_plugins.distillation'],
)
DATASETS = Registry(
    'dataset',
    parent=MMENGINE_DATASETS,
    scope='attn_plugins',
    locations=[
        'attn_plugins.datasets.mixed',
        'attn_plugins.datasets.foreign_images',
        'attn_plugins.datasets.split',
    ],
)
DATA_SAMPLERS = Registry(
    'data sampler',
    parent=MMENGINE_DATA_SAMPLERS,
    scope='attn_plugins',
    locations=['attn_plugins.datasets.mixed'],
)
HOOKS = Registry(
    'hook',
    parent=MMENGINE_HOOKS,
    scope='attn_plugins',
    locations=[
        'attn_plugins.training.hooks',
        'attn_plugins.training.in_memory',
        'attn_plugins.distillation.hook',
    ],
)
OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    'optimizer wrapper constructor',
    parent=MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS,
    scope='attn_plugins',
    locations=['attn_plugins.training.optimizer'],
)

# The three steps of channel attention; `ChannelAttention` builds its parts from these by name.
SQUEEZES = Registry('squeeze', scope='attn_plugins', locations=['attn_plugins.layers.channel'])
EXCITATIONS = Registry('excitation', scope='attn_plugins', locations=['attn_plugins.layers.channel'])
GATES = Registry('gate', scope='attn_plugins', locations=['attn_plugins.layers.channel'])

# What a student learns from a teacher in addition to its own losses. Not among the models: those are layers and hosts.
LOSSES = Registry('loss', scope='attn_plugins', locations=['attn_plugins.distillation.losses'])


# Messages of the libraries at import about options that no config of ours has.
NOISE = ('OneDL', 'faster_coco_eval is not installed')
# 'No CUDA runtime is found' appears whenever torch's extensions are imported on a machine with CUDA's files and no GPU.
logging.getLogger('torch.utils.cpp_extension').setLevel(logging.ERROR)
LIBRARIES = ('mmdet', 'mmseg', 'mmpretrain')


def register(library: str) -> None:
    """Imports a library with all its modules, so that their types can be built outside a Runner.

    Raises:
        UserError: The library is not installed.
    """
    said = StringIO()
    with redirect_stdout(said), warnings.catch_warnings():
        for words in NOISE:
            warnings.filterwarnings('ignore', f'.*{words}')
        try:
            utils = import_module(f'{library}.utils')
        except ModuleNotFoundError as error:
            if error.name != library:
                raise
            raise UserError(
                f'{library} is not installed: run `make install`, or install it beside the mm* packages you have'
            ) from error
        utils.register_all_modules(init_default_scope=False)
    for line in said.getvalue().splitlines():
        if not any(words in line for words in NOISE):
            print(line)


# How many choices a sentence lists at most.
MOST = 30


def nearest(word: str, choices: Iterable[str]) -> str:
    """Returns the end of the sentence on a misspelt word: 'did you mean A or B?', or else the choices.

    Of many choices only the nearest are listed; without any choice nothing is.
    """
    choices = sorted(choices)
    if not choices:
        return 'there are none to choose from'
    close = difflib.get_close_matches(str(word), choices, n=3, cutoff=0.5)
    if close:
        return f'did you mean {" or ".join(close)}?'
    if len(choices) > MOST:
        likest = difflib.get_close_matches(str(word), choices, n=3, cutoff=0)
        return f'the nearest of {len(choices)} are {", ".join(likest)}'
    return f'choose from {", ".join(choices)}'


def listed(names: Sequence[str], most: int = 5) -> str:
    """Lists the first names and the number of the others: 'a, b and 7 more'."""
    more = f' and {len(names) - most} more' if len(names) > most else ''
    return ', '.join(map(str, names[:most])) + more


def find_type(name: str, registry: Registry) -> type | None:
    """Returns the class of a type.

    A layer's name without a scope is the user's own class, or a library's, before it is ours.
    """
    if registry is MODELS and '.' not in name:
        with MMENGINE_MODELS.switch_scope_and_registry(None) as current:
            return current.get(name) or MODELS.module_dict.get(name) or registry.get(name)
    return registry.get(name)


def build_part(cfg: dict | str, registry: Registry, **given: Any) -> Any:
    """Builds a layer or a part of one from its config, after checking the words in it.

    Args:
        cfg (dict or str): A config with `type`, or the type alone.
        registry (Registry): The registry that the type is looked up in.
        given: Values that the caller knows (`in_channels=64`); the config may repeat but not contradict them.

    Returns:
        nn.Module: What was built.

    Raises:
        ValueError: The type or an option does not exist, an option is of another kind than the signature says, or
            contradicts a given value; the message names the nearest valid choices.
    """
    # A deep copy: two layers built from one config share nothing that either may change.
    options = {'type': cfg} if isinstance(cfg, str) else deepcopy(dict(cfg))
    name = options.pop('type', None)
    if name is None:
        raise ValueError(f'a {registry.name} needs a type, as dict(type=...), not {cfg!r}')
    cls = find_type(name, registry) if isinstance(name, str) else name
    if cls is None:
        known = registry.module_dict
        if name.startswith('attn_plugins.'):
            known = [f'attn_plugins.{key}' for key in registry.module_dict]
        raise ValueError(f'there is no {registry.name} of type {name!r}: {nearest(name, known)}')
    parameters = inspect.signature(cls).parameters
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        for option in options:
            if option not in parameters:
                raise ValueError(f'{name} has no option {option!r}: {nearest(option, parameters)}')
        missing = [
            key
            for key, p in parameters.items()
            if p.default is p.empty and p.kind is not p.VAR_POSITIONAL and key not in {**options, **given}
        ]
        if missing:
            raise ValueError(f'{name} needs {", ".join(missing)}: give it in the cfg')
    for option, value in options.items():
        _check_kind(name, option, value, parameters.get(option))
    for key, value in given.items():
        if options.setdefault(key, value) != value:
            raise ValueError(f'{name} is given {key}={options[key]}, but {key}={value} is what fits here')
    return cls(**options)


def _check_kind(name: str, option: str, value: object, parameter: inspect.Parameter | None) -> None:
    """Refuses a value of the wrong kind (a number in quotes, a word for a number) if the signature states the kind."""
    kind = inspect.Parameter.empty if parameter is None else parameter.annotation
    kinds = (int, float) if kind is float else kind
    if kind in (int, float, bool, str) and not isinstance(value, kinds):
        raise ValueError(f'{name} needs {option} of type {kind.__name__}, not {value!r}')
