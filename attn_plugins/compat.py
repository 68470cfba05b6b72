"""The private names of torch and mmengine that this package leans on: each with what it is for and where it was last seen.

Everything else takes them from here, so that a new version of either breaks this file and no other. One private name cannot
stand here: `_load_from_state_dict`, torch's way to rename keys before they are loaded, is overridden in the classes that
need it (`Wrapper`, `GeneralizedAttention`). Seen in torch 2.1.2 and 2.12.1, unless another is named.
"""

from collections.abc import Callable
from functools import wraps
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.utils import check_file_exist
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = [
    'CPU_ATTENTION',
    'BatchNorm',
    'TorchDispatchMode',
    'buffers_of',
    'children_of',
    'inherit_configs',
    'is_compiling',
    'parameters_of',
    'register_load_state_dict_pre_hook',
    'register_state_dict_hook',
]

# --- torch ---

# BatchNorm: what all batch norms, SyncBN too, have in common. The public classes have no common name.

# TorchDispatchMode: sees every operation with its results, which is how live memory is followed. It has no public
# name; `torch.utils.flop_counter` builds on it too.

# The CPU's fused attention kernel. `torch.utils.flop_counter` counts those of GPUs and leaves this one out. Seen in
# torch 2.12.1; torch 2.1.2 has no such kernel, so None.
CPU_ATTENTION = getattr(torch.ops.aten, '_scaled_dot_product_flash_attention_for_cpu', None)

# Whether torch.compile or torch.export is at work; public since torch 2.2 or so.
is_compiling = getattr(torch.compiler, 'is_compiling', None) or torch._utils.is_compiling


def children_of(module: nn.Module) -> dict[str, nn.Module | None]:
    """A module's own dict of its children, to be read and written.

    `named_children()` leaves out a child that stands there twice and one that is None, and `setattr` would go through what
    a module makes of it. Empty before the module's `__init__` has run.
    """
    return module.__dict__.get('_modules', {})


def parameters_of(module: nn.Module) -> dict[str, nn.Parameter | None]:
    """A module's own dict of its parameters; `torch.func.functional_call` puts plain tensors there."""
    return module._parameters


def buffers_of(module: nn.Module) -> dict[str, torch.Tensor | None]:
    """A module's own dict of its buffers."""
    return module._buffers


def register_state_dict_hook(module: nn.Module, hook: Callable) -> None:
    """Has `hook(module, state_dict, prefix, local_metadata)` change what was saved; public since torch 2.5 only."""
    module._register_state_dict_hook(hook)


def register_load_state_dict_pre_hook(module: nn.Module, hook: Callable) -> None:
    """Has `hook(module, state_dict, prefix, ...)` look at what is loaded; public since torch 2.5 only."""
    module._register_load_state_dict_pre_hook(hook, with_module=True)


# --- mmengine ---


def inherit_configs(name: str, folder: Path) -> None:
    """Makes `_base_ = '<name>::...py'` find a folder's configs; a second call changes nothing.

    mmengine inherits configs from packages that stand in a table of its own only, marks what it inherits with the
    package's name as the scope to build it in, and, upstream's, looks in the wrong folder for a package that is installed
    with `pip install -e`. So the paths are found here, and without a scope: the configs are those of mmdet, mmseg and
    mmpretrain, built in the scope that each names itself (`default_scope`). Seen in mmengine 0.10.7 and onedl-mmengine
    0.10.12.
    """
    if name in MODULE2PACKAGE:
        return
    MODULE2PACKAGE[name] = name
    path_and_scope = Config._get_cfg_path

    @wraps(path_and_scope)
    def with_ours(cfg_path: str, filename: str):
        package, _, config = cfg_path.partition('::')
        if package != name:
            return path_and_scope(cfg_path, filename)
        check_file_exist(str(folder / config))
        return str(folder / config), None

    Config._get_cfg_path = staticmethod(with_ours)
