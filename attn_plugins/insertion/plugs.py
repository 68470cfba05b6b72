"""The containers that stand in a host where a layer was put: the host's own module and the layer beside it."""

from torch import Tensor, nn

from attn_plugins.layers.recurrent import recurrent_parts
from attn_plugins.layers.wrapper import Wrapper


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

    Attributes:
        starts (bool): Whether the state of a layer that blocks share (DIA) starts here, at the first of them.
        ends (bool): Whether it ends here, at the last, after which nothing is kept.
    """

    def __init__(
        self, module: nn.Module, layer: nn.Module, name: str, side: str = 'after', channels: int = 0
    ):
        super().__init__()
        self.layer_name = name
        self.channels = channels
        self.side = side
        self.starts = self.ends = False
        self.wrapped = module
        self.add_module(name, layer)

    @property
    def layer(self) -> nn.Module:
        """The layer that was put in."""
        return self._modules[self.layer_name]

    def forward(self, *args, **kwargs) -> Tensor:
        """The host's call, with the layer applied to its first argument or to its result."""
        leaf = self.as_leaf(*args, **kwargs)
        if leaf is not None:
            return leaf
        if self.starts:
            for part in recurrent_parts(self.layer):
                part.start()
        if self.side == 'after':
            y = self.layer(self.wrapped(*args, **kwargs))
        elif args:
            y = self.wrapped(self.layer(args[0]), *args[1:], **kwargs)
        else:
            first = next(iter(kwargs))
            y = self.wrapped(**{**kwargs, first: self.layer(kwargs[first])})
        if self.ends:
            for part in recurrent_parts(self.layer):
                part.end()
        return y


class SharingPlug(Plug):
    """A plug whose layer is another's: the layer is registered, saved and optimised once, at the first block of a stage.

    Args:
        module (nn.Module): The host's module.
        owner (Plug): The plug that holds the layer.
    """

    def __init__(self, module: nn.Module, owner: Plug):
        Wrapper.__init__(self)
        self.layer_name = owner.layer_name
        self.channels = owner.channels
        self.side = owner.side
        self.starts = self.ends = False
        self.wrapped = module
        self.owner = (owner,)  # in a tuple, where torch does not take it for a child

    @property
    def layer(self) -> nn.Module:
        """The layer of the plug that holds it."""
        return self.owner[0].layer
