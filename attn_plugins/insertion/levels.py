"""Puts layers on the maps that a backbone or neck returns, one per level: `position='level_output'`."""

import functools
import inspect

import torch
import torch.fx
from torch import nn

from attn_plugins.compat import children_of, strict_zip
from attn_plugins.errors import InsertionError

NAME = 'level_output'


class Levels:
    """Mixed into the class of a host: the maps that its forward returns go through `level_output`, level by level."""

    def __reduce_ex__(self, protocol):
        """Pickles the host's class by its name; unpickling mixes this class in again."""
        return _rebuild, (host_class(self),), self.__dict__


def _forward_of(host: type):
    """Builds the host's forward with a layer on each level.

    A single argument keeps a name of its own, which torch.fx needs to trace it.
    """

    def hand_on(self, maps):
        new = [level(x) for level, x in strict_zip(children_of(self)[NAME].values(), maps)]
        return type(maps)(*new) if hasattr(maps, '_fields') else type(maps)(new)

    def forward_one(self, x):
        return hand_on(self, host.forward(self, x))

    def forward(self, *args, **kwargs):
        return hand_on(self, host.forward(self, *args, **kwargs))

    return forward_one if len(inspect.signature(host.forward).parameters) == 2 else forward


class DictLevels(Levels):
    """For hosts that run their modules one by one, as timm's `features_only` models: the layers are left out."""

    def __iter__(self):
        return (name for name in children_of(self) if name != NAME)

    def __len__(self):
        return len(children_of(self)) - 1

    def keys(self):
        """Lists the names of the host's modules, without the layers."""
        return list(self)

    def values(self):
        """Lists the host's modules, without the layers."""
        return [children_of(self)[name] for name in self]

    def items(self):
        """Lists names and modules of the host, without the layers."""
        return [(name, children_of(self)[name]) for name in self]


@functools.cache
def with_levels(host: type) -> type:
    """Builds a subclass of a host's class with layers on its levels, under the host's name."""
    names = {'__module__': host.__module__, '__qualname__': host.__qualname__, '__doc__': host.__doc__}
    names['forward'] = _forward_of(host)
    mixed_in = DictLevels if issubclass(host, nn.ModuleDict) else Levels
    return type(host.__name__, (mixed_in, host), names)


def host_class(host: Levels) -> type:
    """Returns the host's own class, without the mixed-in one."""
    return type(host).__bases__[1]


def _rebuild(host: type) -> nn.Module:
    cls = with_levels(host)
    return cls.__new__(cls)


def add_levels(host: nn.Module, count: int) -> nn.ModuleDict:
    """Adds slots for the levels of a host, by index; a layer is put into a slot as into any module.

    Raises:
        InsertionError: The host's forward is not that of its class.
    """
    if not isinstance(host, Levels):
        if 'forward' in host.__dict__ or isinstance(host, torch.fx.GraphModule):
            raise InsertionError(
                f'level_output stands at the forward of a class, and this {type(host).__name__} has one of its '
                'own: put layers after its modules'
            )
        host.__class__ = with_levels(type(host))
        host.add_module(NAME, nn.ModuleDict({str(index): nn.Identity() for index in range(count)}))
        children_of(host)[NAME].train(host.training)
    return children_of(host)[NAME]


def remove_levels(host: nn.Module) -> None:
    """Gives the host its own class back."""
    host.__class__ = host_class(host)
    del children_of(host)[NAME]
