"""Sets a host's layers aside while it initialises itself, so that it draws what the plain host draws with the same
seed.

OpenMMLab's hosts go over all modules that they find, and each that is drawn moves the stream of random numbers on:
with layers in between, no weight behind the first of them would be the plain host's."""

import copy
from collections.abc import Iterator

from torch import nn

from attn_plugins.compat import children_of, register_load_state_dict_pre_hook
from attn_plugins.insertion.containers import Plug
from attn_plugins.layers.state_dict_keys import Wrapper

# What is noted on a module that holds layers while they are set aside.
ASIDE = '_attn_aside'


class SetAside:
    """Within it the host's modules stand where they stood before anything was put in; a checkpoint meets the layers
    too.

    What a layer replaced stands there as well, in the layer's precision and on its device.

    Args:
        host (nn.Module): The host.
        holders (list[nn.Module]): The modules of the host that `meets_checkpoints` was told of.
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
        """The plain host's modules into their places."""
        for children, key, _, plain in self.slots:
            children[key] = plain

    def put_back(self) -> None:
        """The containers of the layers into their places."""
        for children, key, container, _ in self.slots:
            children[key] = container

    def _note_parameters(self) -> None:
        """Tells mmengine, where it notes what becomes of each parameter of a model that the host is a part of, of
        what was replaced.
        """
        noted = getattr(self.host, '_params_init_info', None)
        for *_, plain in self.slots:
            for parameter in plain.parameters() if noted is not None else ():
                if parameter not in noted:
                    noted[parameter] = dict(init_info='', tmp_mean_value=None)


def is_set_aside(module: nn.Module) -> bool:
    """Whether the layers of a module that holds some are set aside."""
    return ASIDE in module.__dict__


def meets_checkpoints(module: nn.Module) -> None:
    """Has a module of a host get its layers back while a checkpoint is loaded into it."""
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
    """A copy of a module that holds no numbers."""
    return copy.deepcopy(module).to('meta')


def _slots(module: nn.Module) -> Iterator[tuple[dict, str, nn.Module, nn.Module]]:
    """Where containers stand in a host, once each: (children of the parent, key, container, the host's module
    there).
    """
    seen, plain = set(), {}

    def below(module: nn.Module) -> Iterator[tuple]:
        for key, child in children_of(module).items():
            if isinstance(child, Wrapper):
                container = child
                if container not in plain:  # a convolution that is shared was replaced once
                    plain[container] = _plain(container)
                child = plain[container]
                yield children_of(module), key, container, child
            if child is not None and child not in seen:
                seen.add(child)
                yield from below(child)

    yield from below(module)


def _plain(container: Wrapper) -> nn.Module:
    """The host's module inside of all containers, or what stood in its place before a layer replaced it."""
    module = container
    while isinstance(module, Wrapper):
        if isinstance(module, Plug) and module.attn_replaced:
            return module.attn_plain()
        module = children_of(module)[module.attn_wrapped]
    return module
