"""Removes a host's layers while it initialises itself, so that it draws the same weights as the plain host.

OpenMMLab's hosts initialise all modules that they find, and each of them advances the random number stream. With the
layers present, no weight behind the first layer would equal the plain host's with the same seed."""

import copy
from collections.abc import Iterator

from torch import nn

from attn_plugins.compat import children_of, register_load_state_dict_pre_hook
from attn_plugins.insertion.containers import Plug
from attn_plugins.layers.state_dict_keys import Wrapper

# The attribute that marks a module whose layers are set aside.
ASIDE = '_attn_aside'


class SetAside:
    """A context in which the host is the plain host, without its layers; they return while a checkpoint is loaded.

    A module that a layer replaced is also back in its place, in the layer's precision and on its device.

    Args:
        host (nn.Module): The host.
        holders (list[nn.Module]): The modules of the host on which `meets_checkpoints` was called.
    """

    def __init__(self, host: nn.Module, holders: list[nn.Module]):
        self.host, self.holders = host, holders
        self.slots = list(_slots(host))
        self.loading = 0

    def __enter__(self) -> 'SetAside':
        for module in self.holders:
            module.__dict__[ASIDE] = self
        self._note_parameters()
        self.set_aside()
        return self

    def __exit__(self, *error) -> None:
        self.put_back()
        for module in self.holders:
            del module.__dict__[ASIDE]

    def set_aside(self) -> None:
        """Puts the plain host's modules into their places."""
        for children, key, _, plain in self.slots:
            children[key] = plain

    def put_back(self) -> None:
        """Puts the containers of the layers back into their places."""
        for children, key, container, _ in self.slots:
            children[key] = container

    def _note_parameters(self) -> None:
        """Registers the parameters of replaced modules with mmengine.

        mmengine records how each parameter of a model that the host is a part of was initialised.
        """
        noted = getattr(self.host, '_params_init_info', None)
        for *_, plain in self.slots:
            for parameter in plain.parameters() if noted is not None else ():
                if parameter not in noted:
                    noted[parameter] = dict(init_info='', tmp_mean_value=None)


def is_set_aside(module: nn.Module) -> bool:
    """Tells whether the layers of a module are set aside."""
    return ASIDE in module.__dict__


def meets_checkpoints(module: nn.Module) -> None:
    """Makes a module of a host get its layers back while a checkpoint is loaded into it."""
    register_load_state_dict_pre_hook(module, _before_load)
    module.register_load_state_dict_post_hook(_after_load)


def _before_load(module: nn.Module, *args) -> None:
    aside = module.__dict__.get(ASIDE)
    if aside is not None:
        aside.loading += 1
        aside.put_back()


def _after_load(module: nn.Module, *args) -> None:
    aside = module.__dict__.get(ASIDE)
    if aside is not None:
        aside.loading -= 1
        if not aside.loading:
            aside.set_aside()


def shape_of(module: nn.Module) -> nn.Module:
    """Copies a module to the meta device, without its weights."""
    return copy.deepcopy(module).to('meta')


def _slots(module: nn.Module) -> Iterator[tuple[dict, str, nn.Module, nn.Module]]:
    """Finds where containers stand in a host: (children of the parent, key, container, the host's module there).

    Each place is listed once.
    """
    seen, plain = set(), {}

    def below(module: nn.Module) -> Iterator[tuple]:
        for key, child in children_of(module).items():
            if isinstance(child, Wrapper):
                container = child
                if container not in plain:  # a shared convolution has one container at several places
                    plain[container] = _plain(container)
                child = plain[container]
                yield children_of(module), key, container, child
            if child is not None and child not in seen:
                seen.add(child)
                yield from below(child)

    yield from below(module)


def _plain(container: Wrapper) -> nn.Module:
    """Returns the host's module inside all containers, or a copy of the module that a layer replaced."""
    module = container
    while isinstance(module, Wrapper):
        if isinstance(module, Plug) and module.attn_replaced:
            return module.attn_plain()
        module = children_of(module)[module.attn_wrapped]
    return module
