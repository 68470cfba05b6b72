"""The container that stands in a host where a layer was put: the host's own module and the layer beside it."""

from torch import Tensor, nn

from attn_plugins.insertion.errors import InsertionError
from attn_plugins.layers.recurrent import recurrent_parts
from attn_plugins.layers.wrapper import Wrapper


class Plug(Wrapper):
    """y = layer(module(x)), or y = module(layer(x)) with `side='before'`.

    The host's module keeps its state-dict keys; the layer's keys follow the module's name and the layer's own
    (`layer3.0.bn3.attn_se.*`). It is a module and not a hook, so deep copies own their layer, and the conversion of
    the host's SyncBN finds the batch norm as usual.

    Args:
        module (nn.Module): The host's module.
        layer (nn.Module): The layer, shape preserving.
        name (str): The name of the layer in the state dict, its `_abbr_` and postfix.
        side (str): 'after' or 'before' the module.

    Raises:
        InsertionError: A layer of this name stands there already.
    """

    def __init__(self, module: nn.Module, layer: nn.Module, name: str, side: str = 'after'):
        super().__init__()
        taken = {key.split('.')[0] for key in module.state_dict()}
        if name in taken:
            raise InsertionError(
                f"there is a {name} already: give the second one a postfix in its cfg, as postfix='_2'"
            )
        self.wrapped = module
        self.add_module(name, layer)
        self.layer_name = name
        self.side = side

    @property
    def layer(self) -> nn.Module:
        """The layer that was put in."""
        return self._modules[self.layer_name]

    def forward(self, x: Tensor, *args, **kwargs) -> Tensor:
        """The host's call, with the layer applied to the first argument or to the result."""
        layer = self._modules[self.layer_name]
        if self.side == 'before':
            return self._modules['wrapped'](layer(x), *args, **kwargs)
        return layer(self._modules['wrapped'](x, *args, **kwargs))


class StatefulPlug(Plug):
    """A plug at one of several blocks that share one layer with a state (DIA).

    Args:
        first (bool): Whether the block is the first of those that share the layer, where the state starts.
        last (bool): Whether it is the last, after which nothing is kept.
        plug: What a `Plug` takes.
    """

    def __init__(self, *plug, first: bool, last: bool):
        super().__init__(*plug)
        self.first = first
        self.last = last

    def forward(self, x: Tensor, *args, **kwargs) -> Tensor:
        """As in a plug, between the start and the end of the state."""
        if self.first:
            for part in recurrent_parts(self.layer):
                part.start()
        y = super().forward(x, *args, **kwargs)
        if self.last:
            for part in recurrent_parts(self.layer):
                part.end()
        return y
