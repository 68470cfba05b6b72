"""Folding of norms and branches into convolutions: a block with a layer inside refuses it, or is kept from it."""

import functools
import inspect

from torch import nn

from attn_plugins.compat import BatchNorm, children_of
from attn_plugins.errors import InsertionError
from attn_plugins.insertion.containers import Kept, Plug
from attn_plugins.layers.norm.base import NormLayer
from attn_plugins.layers.transparent_module import Wrapper

#: Methods that turn a block's branches into one convolution: OpenMMLab's names and timm's.
FOLDING = ('switch_to_deploy', 'reparameterize', 'merge_kernel', 'local_inject', 'fuse')


def keep_from_fusion(host: nn.Module) -> None:
    """Keeps mmcv's `fuse_conv_bn` from folding a norm into a convolution that is not its own.

    It goes over the children of a module and folds a batch norm into the last convolution before it. A layer at the norm
    or the convolution in between is neither to it.
    """
    for module in list(host.modules()):
        if isinstance(module, Wrapper):
            continue
        conv = fits = False  # whether there is a convolution to fold into, and whether it is the norm's own
        for name, child in list(module.named_children()):
            if isinstance(child, BatchNorm):
                if conv and not fits:
                    children_of(module)[name] = Kept(child)
                conv = conv and not fits
            elif isinstance(child, nn.Conv2d):
                conv = fits = True
            elif isinstance(child, Wrapper):
                fits = False


def refuse_folding(host: nn.Module) -> None:
    """Lets the blocks of a host that hold a layer inside refuse to be folded, which would leave the layer out.

    A whole model hands such a call on to its blocks and keeps its method.
    """
    for name, module in host.named_modules():
        below = [child for child in module.modules() if child is not module]
        if isinstance(module, (Plug, NormLayer)) or not any(isinstance(m, (Plug, NormLayer)) for m in below):
            continue
        for method in FOLDING:
            if _folds(module, method) and not any(_folds(child, method) for child in below):
                setattr(module, method, functools.partial(_refuse, method, name))


def _folds(module: nn.Module, method: str) -> bool:
    """Whether a class has the method and it can be called without arguments; others of the name are part of a forward."""
    function = getattr(type(module), method, None)
    if not callable(function):
        return False
    parameters = list(inspect.signature(function).parameters.values())[1:]
    return all(p.default is not p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters)


def _refuse(method: str, name: str, *args, **kwargs) -> None:
    raise InsertionError(
        f'{method}() cannot fold {name} with an inserted layer inside, which depends on the input: keep the model as it '
        "was trained, or put layers after whole blocks (position='block_output')"
    )
