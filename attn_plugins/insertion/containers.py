"""The containers that stand in a host where a layer was put: the host's own module and the layer beside it."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from attn_plugins.compat import children_of
from attn_plugins.layers.recurrent import parts_of_blocks
from attn_plugins.layers.state_dict_keys import Wrapper


class Plug(Wrapper):
    """y = layer(module(x)), or y = module(layer(x)) with `side='before'`.

    The host's module keeps its names; the layer's follow the module's name and the layer's own
    (`layer3.0.bn3.attn_se.*`). It is a module and not a hook, so deep copies own their layer, and the conversion of
    the host's SyncBN finds the batch norm as usual.

    Args:
        module (nn.Module): The host's module.
        layer (nn.Module): The layer, shape preserving.
        name (str): The name of the layer in the state dict, its `_abbr_` and postfix.
        side (str): 'after' or 'before' the module.
        channels (int): Of the map that the layer is given.
        replaced (nn.Module, optional): What stood in the place before, without its numbers.

    Attributes:
        attn_starts (bool): Whether this is the first of blocks that share a layer, and the layer has parts to be told
            so (DIA's state).
        attn_ends (bool): Whether it is the last of them.
    """

    def __init__(
        self,
        module: nn.Module,
        layer: nn.Module,
        name: str,
        side: str = 'after',
        channels: int = 0,
        replaced: nn.Module | None = None,
    ):
        super().__init__()
        self.attn_name = name
        self.attn_channels = channels
        self.attn_side = side
        self.attn_replaced = (
            None if replaced is None else (replaced,)
        )  # in a tuple, where torch does not take it for a child
        self.attn_starts = self.attn_ends = False
        self.wrapped = module
        self.add_module(name, layer)

    @property
    def attn_layer(self) -> nn.Module:
        """The layer that was put in."""
        return children_of(self)[self.attn_name]

    def apply(self, fn: Callable[[nn.Module], None]) -> 'Plug':
        """As a wrapper's; what stood here before draws too, so that the stream moves on as the plain host's."""
        if self.attn_replaced:
            self.attn_plain().apply(fn)
        return super().apply(fn)

    def attn_plain(self) -> nn.Module:
        """What stood in the place before a layer replaced it, on the layer's device, without its numbers."""
        like = next(self.attn_layer.parameters(), torch.empty(()))
        return copy.deepcopy(self.attn_replaced[0]).to_empty(device=like.device).to(like.dtype)

    def forward(self, *args, **kwargs) -> Tensor:
        """The host's call, with the layer applied to its first argument or to its result."""
        leaf = self.attn_leaf(*args, **kwargs)
        if leaf is not None:
            return leaf
        # Not `self.wrapped`, which a module's `__getattr__` would look for: this is every call's price.
        wrapped, layer = children_of(self)[self.attn_wrapped], self.attn_layer
        if self.attn_starts:
            for part in parts_of_blocks(layer):
                part.start()
        if self.attn_side == 'after':
            y = layer(wrapped(*args, **kwargs))
        elif args:
            y = wrapped(layer(args[0]), *args[1:], **kwargs)
        else:
            first = next(iter(kwargs))
            y = wrapped(**{**kwargs, first: layer(kwargs[first])})
        if self.attn_ends:
            for part in parts_of_blocks(layer):
                part.end()
        return y


class SharingPlug(Plug):
    """A plug whose layer is another's: the layer is registered, saved and optimised once, at the first block of a
    stage.

    Args:
        module (nn.Module): The host's module.
        owner (Plug): The plug that holds the layer.
        replaced (nn.Module, optional): As of a plug.
    """

    def __init__(self, module: nn.Module, owner: Plug, replaced: nn.Module | None = None):
        Wrapper.__init__(self)
        self.attn_name = owner.attn_name
        self.attn_channels = owner.attn_channels
        self.attn_side = owner.attn_side
        self.attn_replaced = None if replaced is None else (replaced,)
        self.attn_starts = self.attn_ends = False
        self.wrapped = module
        self.attn_owner = (owner,)  # in a tuple, where torch does not take it for a child

    @property
    def attn_layer(self) -> nn.Module:
        """The layer of the plug that holds it."""
        return self.attn_owner[0].attn_layer


class Kept(Wrapper):
    """A norm of the host between which and its convolution a layer stands: y = norm(x), and no convolution is beside
    it.

    mmcv's `fuse_conv_bn` folds a norm into the last convolution that it has met, which would be another one here.

    Args:
        norm (nn.Module): The host's norm.
    """

    def __init__(self, norm: nn.Module):
        super().__init__()
        self.wrapped = norm
        self.training = norm.training

    def forward(self, *args, **kwargs) -> Tensor:
        """The norm's."""
        leaf = self.attn_leaf(*args, **kwargs)
        return self.wrapped(*args, **kwargs) if leaf is None else leaf
