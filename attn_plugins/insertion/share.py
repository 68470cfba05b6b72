"""One layer for all blocks of a stage, `share='stage'`: which places share it, and its state if it has one."""

import logging
from collections.abc import Sequence

from mmengine.logging import print_log
from torch import nn

from attn_plugins.errors import InsertionError
from attn_plugins.insertion.locate import Target
from attn_plugins.layers.recurrent import parts_of_blocks, recurrent_parts


def groups(targets: Sequence[Target], share: str | None) -> list[list[Target]]:
    """The places that get one layer between them: those of a stage, or each its own."""
    if share is None:
        return [[target] for target in targets]
    stages = {}
    for target in targets:
        stages.setdefault(target.stage, []).append(target)
    return list(stages.values())


def check_channels(group: Sequence[Target], channels: Sequence[int]) -> None:
    """Raises an InsertionError if the places of one layer differ in their channels."""
    for target, found in zip(group, channels, strict=True):
        if found != channels[0]:
            raise InsertionError(
                f"share='stage' needs equal channels in a stage, but {target.node.name} has {found} "
                f'and the blocks before it {channels[0]}'
            )


def check_shareable(layer: nn.Module, place: str) -> None:
    """Raises an InsertionError if a layer keeps what is of one place, but several are to share it."""
    kept = next((part for part in layer.modules() if getattr(part, 'attn_one_place', False)), None)
    if kept is not None:
        raise InsertionError(
            f"share='stage' at {place}: {type(kept).__name__} keeps a running mean of one place: leave share out, or take "
            "dict(type='shuffled_images')"
        )


def knows_blocks(host: nn.Module, layer: nn.Module, shared: bool, place: str) -> bool:
    """Whether a layer that blocks share has parts that know of it, as a state that goes from block to block (DIA).

    Raises:
        InsertionError: The host runs its blocks under activation checkpointing, which loses a state.
    """
    name, has_state = type(layer).__name__, any(True for _ in recurrent_parts(layer))
    if has_state and not shared:
        print_log(
            f"{name} at {place} has a state but no other block to hand it to: give the entry share='stage'",
            logger='current',
            level=logging.WARNING,
        )
    if has_state and shared and any(getattr(module, 'with_cp', False) for module in host.modules()):
        raise InsertionError(
            f'{name} hands its state from block to block, and activation checkpointing runs the blocks again one '
            'by one: set with_cp=False'
        )
    parts = list(parts_of_blocks(layer)) if shared else []
    for part in parts:
        part.shared = True
    return bool(parts)
