"""Parts whose state goes from block to block of a stage, within one forward of the host."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn


class Recurrent(nn.Module):
    """A part that may be called several times in one forward and then goes on from where it was left.

    On its own every call starts anew. Where one layer is shared by the blocks of a stage, `Plugged` sets `shared`,
    calls `start` before the first block and `end` after the last: nothing is kept from one forward to the next.
    Deep copies and pickles do not take the state with them.
    """

    def __init__(self):
        super().__init__()
        self.shared = False
        self.state: tuple[Tensor, ...] | None = None

    def __getstate__(self) -> dict:
        return dict(self.__dict__, state=None)

    def start(self) -> None:
        """Forgets the last forward."""
        self.state = ()

    def end(self) -> None:
        """Lets go of the state, which holds the graph of the whole stage."""
        self.state = None

    def previous(self) -> tuple[Tensor, ...]:
        """The state that the block before this one left; empty at the start.

        Raises:
            RuntimeError: There is none, or it has lost its gradient: the blocks do not run one after another.
        """
        if not self.shared:
            return ()
        lost = self.state and torch.is_grad_enabled() and not self.state[0].requires_grad
        if self.state is None or lost and any(p.requires_grad for p in self.parameters()):
            raise RuntimeError(
                f'the state of {type(self).__name__} goes from block to block and is not there: activation '
                'checkpointing runs blocks again one by one, so switch it off (with_cp=False) or leave out '
                "share='stage'"
            )
        return self.state

    def leave(self, *state: Tensor) -> None:
        """Leaves a state for the next block."""
        if self.shared:
            self.state = state


def recurrent_parts(layer: nn.Module) -> Iterator[Recurrent]:
    """The parts of a layer that have a state."""
    return (module for module in layer.modules() if isinstance(module, Recurrent))
