"""The containers that take a module's place in a host where a layer was put: they hold the module and the layer."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from attn_plugins.compat import children_of
from attn_plugins.layers.recurrent import parts_of_blocks
from attn_plugins.layers.state_dict_keys import Wrapper


class Plug(Wrapper):
    """y = layer(module(x)), or y = module(layer(x)) with `side='before'`.

    The host's module keeps its keys in the state dict; the layer's keys are the module's name, then the layer's name
    (`layer3.0.bn3.attn_se.*`). A plug is a module and not a hook, so a deep copy has its own layer, and the
    conversion of the host to SyncBN finds the batch norm as usual.

    Args:
        module (nn.Module): The host's module.
        layer (nn.Module): The layer, shape preserving.
        name (str): The name of the layer in the state dict, its `_abbr_` and postfix.
        side (str): 'after' or 'before' the module.
        channels (int): Channels of the map that the layer is given.
        replaced (nn.Module, optional): The module that stood in the place before, without its weights.

    Attributes:
        attn_starts (bool): Whether this is the first of several blocks that share a layer, and the layer has parts that
            must be told so (DIA's state).
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
        """Applies a function to all parts, as a wrapper does.

        A module that was replaced is passed to it first: its initialisation draws the same random numbers as in the
        plain host, so everything behind it starts as there.
        """
        if self.attn_replaced:
            self.attn_plain().apply(fn)
        return super().apply(fn)

    def attn_plain(self) -> nn.Module:
        """Returns a copy of the replaced module on the layer's device, with uninitialised weights."""
        like = next(self.attn_layer.parameters(), torch.empty(()))
        return copy.deepcopy(self.attn_replaced[0]).to_empty(device=like.device).to(like.dtype)

    def forward(self, *args, **kwargs) -> Tensor:
        """Calls the host's module with the layer applied to its first argument or to its result."""
        leaf = self.attn_fx_node(*args, **kwargs)
        if leaf is not None:
            return leaf
        # Not `self.wrapped`: a module's `__getattr__` is slower, and every call would pay for it.
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
    """A plug that uses the layer of another plug: the layer is registered, saved and optimised once, at the first block
    of a stage.

    Args:
        module (nn.Module): The host's module.
        owner (Plug): The plug that holds the layer.
        replaced (nn.Module, optional): As for a plug.
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


class UnfusedNorm(Wrapper):
    """Keeps a norm of the host from being fused with a wrong convolution: y = norm(x).

    A layer stands between the norm and its convolution. mmcv's `fuse_conv_bn` folds a norm into the last convolution
    that it has met, which would be another one here.

    Args:
        norm (nn.Module): The host's norm.
    """

    def __init__(self, norm: nn.Module):
        super().__init__()
        self.wrapped = norm
        self.training = norm.training

    def forward(self, *args, **kwargs) -> Tensor:
        """Calls the norm."""
        leaf = self.attn_fx_node(*args, **kwargs)
        return self.wrapped(*args, **kwargs) if leaf is None else leaf
