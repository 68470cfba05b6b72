"""Carries out the entries of `plugins=` on a host, and undoes them."""

import functools
import logging
from collections.abc import Callable, Sequence

from mmcv.cnn.bricks.plugin import infer_abbr
from mmengine.logging import print_log
from torch import nn

from attn_plugins.compat import children_of
from attn_plugins.errors import InsertionError
from attn_plugins.insertion.channels import channels_at
from attn_plugins.insertion.containers import Plug, SharingPlug
from attn_plugins.insertion.entry import Entry
from attn_plugins.insertion.identity_start import IdentityStart
from attn_plugins.insertion.levels import NAME as LEVEL_OUTPUT
from attn_plugins.insertion.levels import Levels, add_levels, remove_levels
from attn_plugins.insertion.locate import InsertionPoint, InsertionPoints
from attn_plugins.insertion.replaced import check_all_shared, norms, sizes_of
from attn_plugins.insertion.set_aside import shape_of
from attn_plugins.insertion.shapes import Shapes, in_words, keeps_shape
from attn_plugins.insertion.tree import Node, is_layer, own_keys
from attn_plugins.layers.conv.base import ConvLike
from attn_plugins.layers.norm.base import NormLayer
from attn_plugins.layers.recurrent import parts_of_blocks, recurrent_parts
from attn_plugins.randomness import next_number, own_stream
from attn_plugins.registry import MODELS, build_part


class Insertion:
    """Puts layers into one host.

    Args:
        host (nn.Module): It is changed in place.
    """

    def __init__(self, host: nn.Module):
        self.host = host
        self.shapes = Shapes(host)
        self.moment = next_number()
        self._undo: list[Callable[[], None]] = []

    def take_back(self) -> None:
        """Undoes all entries, so that the host is as it was."""
        for step in reversed(self._undo):
            step()

    def put_in(self, entry: Entry) -> None:
        """Carries out one entry.

        Raises:
            InsertionError: It does not fit the host.
        """
        places = InsertionPoints(self.host)
        if entry.is_a(NormLayer):
            self._replace_norms(norms(places, entry.where, entry.stages), entry)
            return
        if entry.word == 'position' and entry.where == LEVEL_OUTPUT:
            self._insert_at_levels(entry)
            return
        if entry.word == 'position':
            targets = places.at(entry.where, entry.stages)
        else:
            targets = places.by_glob(entry.where, entry.word)
        if entry.is_a(ConvLike):
            self._replace_convs(targets, entry)
            return
        for group in groups(targets, entry.share):
            self._insert_attention(group, entry)

    def _insert_attention(self, group: list[InsertionPoint], entry: Entry) -> None:
        """Puts one layer at a place, or at several places that share it."""
        found = [
            channels_at(self.host, target, entry.cfg.get('in_channels'), self.shapes) for target in group
        ]
        check_channels(group, found)
        place, channels = group[0].node, found[0]
        layer, name = self._build(
            entry.cfg, entry, f'at {place.name} ({channels} channels)', in_channels=channels
        )
        if not is_layer(layer) and not keeps_shape(layer, channels):
            raise InsertionError(
                f'at {place.name}: {entry.name} does not keep the shape of a map, as a layer must'
            )
        if entry.share is not None:
            check_shareable(layer, place.name)
        self._adopt(layer, place.module)
        told = knows_blocks(self.host, layer, entry.share is not None, place.name)
        owner = None
        for target in group:
            node, side = target.node, 'before' if target.side == 'before' else 'after'
            _check_name(node, name)
            slot = node.outer if target.side == 'after' else node.inner
            module = children_of(slot[0])[slot[1]]
            replaced = shape_of(module) if target.side == 'replace' else None
            module = module if replaced is None else nn.Identity()
            plug = (
                Plug(module, layer, name, side, channels, replaced)
                if owner is None
                else SharingPlug(module, owner, replaced)
            )
            owner = owner or plug
            plug.attn_starts, plug.attn_ends = (
                told and target is group[0],
                told and target is group[-1],
            )
            self._put(slot, plug, node.module.training)

    def _insert_at_levels(self, entry: Entry) -> None:
        """Puts a layer on each map that the host returns."""
        maps = self._maps_handed_on()
        switches = [True] * len(maps) if entry.stages is None else entry.stages
        if len(switches) != len(maps) or not all(isinstance(switch, bool) for switch in switches):
            raise InsertionError(
                f'stages={entry.stages} with level_output needs a switch for each of the {len(maps)} levels'
            )
        if entry.share is not None:
            raise InsertionError("share='stage' with level_output: every level is a stage of its own")
        for index in (index for index, switch in enumerate(switches) if switch):
            channels = entry.cfg.get('in_channels', maps[index])
            layer, name = self._build(
                entry.cfg, entry, f'at level {index} ({channels} channels)', in_channels=channels
            )
            fresh = not isinstance(self.host, Levels)
            levels = add_levels(self.host, len(maps))
            if fresh:
                self._undo.append(functools.partial(remove_levels, self.host))
            _check_name(InsertionPoints(self.host).by_name[f'{LEVEL_OUTPUT}.{index}'], name)
            self._adopt(layer, self.host)
            slot = levels, str(index)
            self._put(slot, Plug(levels[slot[1]], layer, name, channels=channels), self.host.training)

    def _maps_handed_on(self) -> tuple[int, ...]:
        """Finds the channels of each map that the host returns."""
        seen = self.shapes.at('')
        if seen is not None and isinstance(seen.after, tuple):
            return seen.after
        what = 'what it hands on cannot be seen' if seen is None else f'it hands on {in_words(seen.after)}'
        raise InsertionError(
            f'level_output is for a backbone or a neck that hands on several maps, and of {type(self.host).__name__} '
            f"{what}: plug the backbone or the neck itself, as backbone=dict(type='attn_plugins.Plugged', host=..., "
            'plugins=[...])'
        )

    def _replace_convs(self, targets: list[InsertionPoint], entry: Entry) -> None:
        """Replaces each of the chosen convolutions of the host by a layer.

        A convolution that the host shares (levels of a head) stays shared.
        """
        by_conv: dict[nn.Module, list[InsertionPoint]] = {}
        for target in targets:
            by_conv.setdefault(target.node.module, []).append(target)
        for conv, shared in by_conv.items():
            check_all_shared(self.host, shared)
            cfg, sizes = sizes_of(shared[0], entry.cfg, entry.name)
            layer, name = self._build(cfg, entry, f'at {shared[0].node.name}', **sizes)
            self._adopt(layer, conv)
            plug = Plug(nn.Identity(), layer, name, channels=sizes['in_channels'], replaced=shape_of(conv))
            for target in shared:
                self._put(target.node.inner, plug, conv.training)

    def _replace_norms(self, nodes: list[Node], entry: Entry) -> None:
        """Puts a norm layer around each batch norm; the batch norm stays inside with its own settings."""
        inner = [option for option in NormLayer.inner_options if option in entry.cfg]
        if inner:
            raise InsertionError(
                f"{entry.name}: {inner[0]} is the host's batch norm's own, which stays inside: set it in the host's "
                'norm_cfg'
            )
        for node in nodes:
            norm, channels = node.module, node.module.num_features
            _check_norm(node, entry.name)
            layer, _ = self._build(
                entry.cfg, entry, f'at {node.name} ({channels} channels)', num_features=channels
            )
            if own_keys(layer) & set(norm.state_dict()):
                raise InsertionError(f'at {node.name}: there is a {entry.name} already')
            self._adopt(layer, norm)
            held = layer.wrapped if isinstance(layer, IdentityStart) else layer
            setattr(held, held.attn_wrapped, norm)
            self._put(node.inner, layer, norm.training)

    def _build(self, cfg: dict, entry: Entry, where: str, **given) -> tuple[nn.Module, str]:
        """Builds the layer and its name in the state dict, with random numbers from a stream of its own."""
        try:
            with own_stream(self.moment, entry.name, entry.postfix, where):
                layer = build_part(cfg, MODELS, **given)
        except (ValueError, TypeError) as error:
            raise InsertionError(f'{where}: {" ".join(str(error).split())}') from error
        name = infer_abbr(type(layer)) + entry.postfix
        return (IdentityStart(layer) if entry.identity else layer), name

    def _adopt(self, layer: nn.Module, module: nn.Module) -> None:
        """Moves a layer to the device, precision and mode of a module; of the host if the module has no parameters."""
        like = next((p for part in (module, self.host) for p in part.parameters()), None)
        if like is not None and like.is_floating_point():
            layer.to(like.device, like.dtype)
        layer.train(module.training)

    def _put(self, slot: tuple[nn.Module, str], container: nn.Module, training: bool) -> None:
        """Puts a container into its place in the tree."""
        parent, key = slot
        children = children_of(parent)
        self._undo.append(functools.partial(children.__setitem__, key, children[key]))
        children[key] = container
        container.training = training
        container.attn_number = len(self._undo)


def _check_norm(node: Node, name: str) -> None:
    """Refuses norms that a norm layer cannot replace."""
    activation = getattr(node.module, 'act', None)
    if isinstance(activation, nn.Module) and not isinstance(activation, nn.Identity):
        raise InsertionError(
            f'{node.name} is a {type(node.module).__name__}, which holds its activation: {name} belongs between the two'
        )
    if node.module.num_features == 0:
        raise InsertionError(f'{node.name} has no channels yet: run a forward of the model first')


def _check_name(node: Node, name: str) -> None:
    """Refuses a name that a layer or a part of the module already has: both would have the same keys."""
    taken = {plug.attn_name for plug in node.plugs()} | {
        key.split('.')[0] for key in node.module.state_dict()
    }
    if name in taken:
        raise InsertionError(
            f"at {node.name}: there is a {name} already: give the second one a postfix in its cfg, as postfix='_2'"
        )


def groups(targets: Sequence[InsertionPoint], share: str | None) -> list[list[InsertionPoint]]:
    """Groups the places that share one layer: those of a stage, or each place alone."""
    if share is None:
        return [[target] for target in targets]
    stages = {}
    for target in targets:
        stages.setdefault(target.stage, []).append(target)
    return list(stages.values())


def check_channels(group: Sequence[InsertionPoint], channels: Sequence[int]) -> None:
    """Raises an InsertionError if the places that share a layer differ in their channels."""
    for target, found in zip(group, channels, strict=True):
        if found != channels[0]:
            raise InsertionError(
                f"share='stage' needs equal channels in a stage, but {target.node.name} has {found} "
                f'and the blocks before it {channels[0]}'
            )


def check_shareable(layer: nn.Module, place: str) -> None:
    """Raises an InsertionError if a layer that is to be shared keeps something that belongs to a single place."""
    kept = next((part for part in layer.modules() if getattr(part, 'attn_one_place', False)), None)
    if kept is not None:
        raise InsertionError(
            f"share='stage' at {place}: {type(kept).__name__} keeps a running mean of one place: leave share "
            'out, or take '
            "dict(type='shuffled_images')"
        )


def knows_blocks(host: nn.Module, layer: nn.Module, shared: bool, place: str) -> bool:
    """Tells whether a shared layer has parts that must know of the blocks, as a state passed between blocks (DIA).

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
