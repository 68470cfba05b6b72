"""Makes the host's own freezing and folding take its inserted layers into account."""

import functools
import inspect
import logging

from mmengine.logging import print_log
from torch import nn

from attn_plugins.compat import BatchNorm, children_of
from attn_plugins.errors import InsertionError
from attn_plugins.insertion.containers import Plug, UnfusedNorm
from attn_plugins.insertion.tree import inserted_layers
from attn_plugins.layers.norm.base import NormLayer
from attn_plugins.layers.state_dict_keys import Wrapper


def follow_freezing(host: nn.Module) -> None:
    """Freezes the layers in frozen stages before an optimizer or DDP sees them; the modes of all modules stay.

    OpenMMLab's backbones freeze stages and norms in train().
    """
    modes = {module: module.training for module in host.modules()}
    host.train(host.training)
    if len(set(modes.values())) > 1:  # someone has chosen the modes after the host was built
        for module, mode in modes.items():
            module.training = mode


def warn_of_untrained(host: nn.Module) -> None:
    """Warns which layers the host's own freezing leaves untrained."""
    layers = inserted_layers(host)
    frozen = [
        name
        for name, layer in layers.items()
        if any(True for _ in layer.parameters()) and not any(p.requires_grad for p in layer.parameters())
    ]
    if frozen:
        print_log(
            f'{len(frozen)} inserted layers are in frozen stages ({frozen[0]}, ...) and keep their initial '
            'weights unless a checkpoint has theirs: leave those stages out with stages=(False, ...)',
            logger='current',
            level=logging.WARNING,
        )
    fixed = [module for module in host.modules() if getattr(module, 'norm_eval', False) is True]
    normed = [
        name
        for name, layer in layers.items()
        if not isinstance(layer, NormLayer)
        and any(isinstance(part, BatchNorm) for part in layer.modules())
        and any(layer is part for module in fixed for part in module.modules())
    ]
    if normed:
        print_log(
            f'norm_eval=True also fixes the batch norms inside {len(normed)} inserted layers ({normed[0]}, '
            '...) at their initial statistics unless a checkpoint has theirs: set norm_eval=False to train '
            'them',
            logger='current',
            level=logging.WARNING,
        )


#: Methods that turn a block's branches into one convolution: OpenMMLab's names and timm's.
FOLDING = ('switch_to_deploy', 'reparameterize', 'merge_kernel', 'local_inject', 'fuse')


def keep_from_fusion(host: nn.Module) -> None:
    """Keeps mmcv's `fuse_conv_bn` from folding a norm into a convolution that is not its own.

    `fuse_conv_bn` goes over the children of a module and folds a batch norm into the last convolution before it. It
    recognises neither a norm nor a convolution in a container of a layer."""
    for module in list(host.modules()):
        if isinstance(module, Wrapper):
            continue
        conv = fits = False  # whether there is a convolution to fold into, and whether it is the norm's own
        for name, child in list(module.named_children()):
            if isinstance(child, BatchNorm):
                if conv and not fits:
                    children_of(module)[name] = UnfusedNorm(child)
                conv = conv and not fits
            elif isinstance(child, nn.Conv2d):
                conv = fits = True
            elif isinstance(child, Wrapper):
                fits = False


def refuse_folding(host: nn.Module) -> None:
    """Makes the blocks of a host that hold a layer refuse to be folded, because folding would drop the layer.

    A whole model passes such a call on to its blocks, so its own method stays.
    """
    for name, module in host.named_modules():
        below = [child for child in module.modules() if child is not module]
        if isinstance(module, (Plug, NormLayer)) or not any(isinstance(m, (Plug, NormLayer)) for m in below):
            continue
        for method in FOLDING:
            if _folds(module, method) and not any(_folds(child, method) for child in below):
                setattr(module, method, functools.partial(_refuse, method, name))


def _folds(module: nn.Module, method: str) -> bool:
    """Tells whether a class has the folding method and it can be called without arguments.

    Methods of the same name that need arguments are part of a forward pass.
    """
    function = getattr(type(module), method, None)
    if not callable(function):
        return False
    parameters = list(inspect.signature(function).parameters.values())[1:]
    return all(p.default is not p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters)


def _refuse(method: str, name: str, *args, **kwargs) -> None:
    raise InsertionError(
        f'{method}() cannot fold {name} with an inserted layer inside, which depends on the input: keep the '
        'model as it '
        "was trained, or put layers after whole blocks (position='block_output')"
    )
