"""What stands by the inserted layers of one host: their initialisation, and the watch over their weights."""

import logging
from collections.abc import Mapping

from mmengine.logging import print_log
from torch import Tensor, nn

from attn_plugins.insertion.errors import InsertionError
from attn_plugins.insertion.tree import inserted_layers
from attn_plugins.layers.wrapper import Wrapper


class InsertedLayers(nn.Module):
    """The last child of a host with inserted layers; it has no parameters and is never called.

    mmengine initialises a module, then its direct children in order, and loads pretrained weights last. As the last
    child it restores each layer's published initialisation after the host's own (which overwrites every convolution)
    and before any pretrained weights.

    Args:
        layers (dict[str, nn.Module]): The layers by name. They are kept in a dict, so they are not registered twice.
        strict (bool): Whether a checkpoint without the layers' weights, or with others, is an error.
    """

    def __init__(self, layers: dict[str, nn.Module], strict: bool):
        super().__init__()
        self.layers = layers
        self.strict = strict

    def init_weights(self) -> None:
        """Restores the initialisation of every layer."""
        for layer in self.layers.values():
            if hasattr(layer, 'init_weights'):
                layer.init_weights()

    def extra_repr(self) -> str:
        return ', '.join(f'{name}: {type(layer).__name__}' for name, layer in self.layers.items())


def watch(host: nn.Module, layers: dict[str, nn.Module], strict: bool) -> None:
    """Gives the host its `InsertedLayers` and checks every state dict that is loaded into it."""
    host.add_module('inserted_layers', InsertedLayers(layers, strict))
    host._register_load_state_dict_pre_hook(_check_weights, with_module=True)


def _check_weights(host: nn.Module, state_dict: Mapping[str, Tensor], prefix: str, *args) -> None:
    """Says in one line which layers find no weights and which weights find no layer, so none is dropped silently."""
    expected = host.state_dict()
    loaded = {key[len(prefix) :]: value for key, value in state_dict.items() if key.startswith(prefix)}
    if not loaded:
        return
    absent = []
    for name, layer in inserted_layers(host).items():
        own = layer.own_keys() if isinstance(layer, Wrapper) else layer.state_dict().keys()
        keys = [f'{name}.{key}' for key in own]
        if any(key not in loaded or loaded[key].shape != expected[key].shape for key in keys):
            absent.append(name)
    foreign = [key for key in loaded if key not in expected and _is_ours(key)]
    faults = []
    if absent:
        faults.append(
            f'no fitting weights for {len(absent)} inserted layers ({_first(absent)}), which stay as '
            'initialised'
        )
    if foreign:
        faults.append(f'weights of layers that the model lacks ({_first(foreign)}), which are dropped')
    if faults:
        message = f'the checkpoint has {" and ".join(faults)}'
        if host.inserted_layers.strict:
            raise InsertionError(message + ': strict_plugins=True refuses it')
        print_log(message, logger='current', level=logging.WARNING)


def _is_ours(key: str) -> bool:
    """Whether a key looks like one of this package's layers: all have the prefix attn_, the gates of norms gate_."""
    return any(part.startswith(('attn_', 'gate_')) for part in key.split('.'))


def _first(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f'{names[0]} and {len(names) - 1} more'
