"""Another implementation of a layer's function: how it is built, and how it gets the layer's weights."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

# Whose code: the authors' way to compute the formula, written anew from the equation, or a library's own module.
AUTHORS, TIMM, OPENMMLAB = 'authors', 'timm', 'openmmlab'


@dataclass(frozen=True)
class Reference:
    """A reference: another implementation of a layer's function.

    Attributes:
        source: `AUTHORS`, `TIMM` or `OPENMMLAB`.
        build: Builds a module of the same sizes from the layer. It may raise an ImportError.
        names: The reference's parameters, or modules with parameters -> the layer's. All parameters of both take part.
        change: Converts the layer's parameter into the reference's, by the reference's name, if they differ in more
            than shape. It is linear, so it converts the gradients too.
    """

    source: str
    build: Callable[[nn.Module], nn.Module]
    names: dict[str, str] = field(default_factory=dict)
    change: dict[str, Callable[[Tensor], Tensor]] = field(default_factory=dict)

    def with_weights_of(self, layer: nn.Module) -> nn.Module:
        """Builds the reference in training mode, with the layer's weights, on its device and in its precision.

        Raises:
            ImportError: Its library is not installed.
        """
        rival = self.build(layer)
        like = next(layer.parameters(), None)
        if like is not None:
            rival.to(like.device, like.dtype)
        with torch.no_grad():
            for name, value in self.in_rivals_names(rival, dict(layer.named_parameters())).items():
                rival.get_parameter(name).copy_(value)
        return rival.train()

    def in_rivals_names(self, rival: nn.Module, values: dict[str, Tensor]) -> dict[str, Tensor]:
        """Converts the layer's parameters, or their gradients, into the reference's.

        Args:
            rival: The module that `build` returned.
            values: By the layer's names.

        Raises:
            ValueError: Some parameter of one has no partner in the other.
        """
        left, found = dict(values), {}
        for name, parameter in rival.named_parameters():
            value = left.pop(self._ours(name), None)
            if value is None:
                raise ValueError(f'{type(rival).__name__}.{name} has no partner in the layer')
            found[name] = self.change.get(name, lambda value: value)(value).reshape(parameter.shape)
        if left:
            raise ValueError(f'{type(rival).__name__} has nothing for {", ".join(left)}')
        return found

    def _ours(self, name: str) -> str:
        """Returns the layer's name for a reference's parameter: by its whole name or by that of a module around it."""
        head, tail = name, ''
        while head not in self.names:
            head, _, last = head.rpartition('.')
            tail = f'.{last}{tail}'
            if not head:
                return ''
        return self.names[head] + tail
