"""Parts of layers that several blocks share: some count the blocks, some pass a state from block to block.

The state lasts for one forward of the host.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn


class PartOfBlocks(nn.Module):
    """A part that is told when the blocks that share its layer begin and end.

    Attributes:
        shared (bool): Whether there are such blocks; then `Plugged` calls `start` before the first and `end` after
            the last.
    """

    def __init__(self):
        super().__init__()
        self.shared = False

    def start(self) -> None:
        """Tells the part that the first block comes next."""

    def end(self) -> None:
        """Tells the part that the last block has run."""


class Recurrent(PartOfBlocks):
    """A part with a state: in a forward, each block that shares it continues from the state of the block before.

    If no blocks share it, every call starts anew. Nothing is kept from one forward to the next. Deep copies and pickles
    do not contain the state.

    A block that calls the part several times has as many `sequences`, each with its own state: the first call of a
    block continues from the first call of the block before, the second from the second.
    """

    def __init__(self):
        super().__init__()
        self.sequences = 1
        # One state per sequence; the first is that of the next call.
        self.state: tuple[tuple[Tensor, ...], ...] | None = None

    def __getstate__(self) -> dict:
        return dict(self.__dict__, state=None)

    def start(self) -> None:
        """Forgets the state of the last forward."""
        self.state = ((),) * self.sequences

    def end(self) -> None:
        """Drops the state, which holds the graph of the whole stage."""
        self.state = None

    def previous(self) -> tuple[Tensor, ...]:
        """Returns the state that this call's sequence has from the block before; empty in the first block.

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
        """Keeps the state of this call's sequence for the next block, and moves on to the next sequence."""
        if self.shared:
            self.state = (*self.state[1:], state)


def parts_of_blocks(layer: nn.Module) -> Iterator[PartOfBlocks]:
    """Lists the parts of a layer that are told of the blocks which share it."""
    return (module for module in layer.modules() if isinstance(module, PartOfBlocks))


def recurrent_parts(layer: nn.Module) -> Iterator[Recurrent]:
    """Lists the parts of a layer that have a state."""
    return (module for module in layer.modules() if isinstance(module, Recurrent))
