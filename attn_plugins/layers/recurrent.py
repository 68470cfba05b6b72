"""Parts that know the blocks which share their layer, and those whose state goes from block to block, in one forward
of the host.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn


class PartOfBlocks(nn.Module):
    """A part that is told where the blocks begin and end that share its layer.

    Attributes:
        shared (bool): Whether there are such blocks; then `Plugged` calls `start` before the first and `end` after
            the last.
    """

    def __init__(self):
        super().__init__()
        self.shared = False

    def start(self) -> None:
        """The first block comes next."""

    def end(self) -> None:
        """The last block was that."""


class Recurrent(PartOfBlocks):
    """A part that may be called several times in one forward and then goes on from the state that the call before
    stored.

    On its own every call starts anew. Nothing is kept from one forward to the next. Deep copies and pickles do not
    take the state with them.

    A block that calls the part several times has as many `sequences`, each with a state of its own: the first call of a
    block goes on from the first call of the block before, the second from the second.
    """

    def __init__(self):
        super().__init__()
        self.sequences = 1
        # One state per sequence; the next call's is the first.
        self.state: tuple[tuple[Tensor, ...], ...] | None = None

    def __getstate__(self) -> dict:
        return dict(self.__dict__, state=None)

    def start(self) -> None:
        """Forgets the last forward."""
        self.state = ((),) * self.sequences

    def end(self) -> None:
        """Lets go of the state, which holds the graph of the whole stage."""
        self.state = None

    def previous(self) -> tuple[Tensor, ...]:
        """The state that this call's sequence has from the block before this one; empty at the start.

        Raises:
            RuntimeError: There is none, or it has lost its gradient: the blocks do not run one after another.
        """
        if not self.shared:
            return ()
        state = None if self.state is None else self.state[0]
        lost = state and torch.is_grad_enabled() and not state[0].requires_grad
        if state is None or lost and any(p.requires_grad for p in self.parameters()):
            raise RuntimeError(
                f'the state of {type(self).__name__} goes from block to block and is not there: activation '
                'checkpointing runs blocks again one by one, so switch it off (with_cp=False) or leave out '
                "share='stage'"
            )
        return state

    def store(self, *state: Tensor) -> None:
        """Keeps the state of this call's sequence for the next block, and turns to the next sequence."""
        if self.shared:
            self.state = (*self.state[1:], state)


def parts_of_blocks(layer: nn.Module) -> Iterator[PartOfBlocks]:
    """The parts of a layer that know the blocks which share it."""
    return (module for module in layer.modules() if isinstance(module, PartOfBlocks))


def recurrent_parts(layer: nn.Module) -> Iterator[Recurrent]:
    """The parts of a layer that have a state."""
    return (module for module in layer.modules() if isinstance(module, Recurrent))
