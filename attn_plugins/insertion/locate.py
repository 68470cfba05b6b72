"""Finds the places that an entry of `plugins=` names."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import nn

from attn_plugins.compat import children_of
from attn_plugins.errors import InsertionError
from attn_plugins.insertion.host_tables import declared, places
from attn_plugins.insertion.tree import Node, matching, walk
from attn_plugins.registry import nearest

#: One switch per stage, or one per block of a stage.
Switches = Sequence[bool | Sequence[bool]]


class InsertionPoint(NamedTuple):
    """A place for a layer: the host's module there, the side, and the stage it belongs to."""

    node: Node
    side: str
    stage: str


class Candidate(NamedTuple):
    """One candidate for an entry with `position=`: a block, the end of a stage, or a level of a neck.

    Attributes:
        owner: The part of the host that declares its stage; '' is the host itself.
        stage: The stage's name.
        name: The unit's name.
        target: The place of the position in it; None if it has none.
    """

    owner: str
    stage: str
    name: str
    target: InsertionPoint | None


class InsertionPoints:
    """The named positions of a host.

    Positions of blocks, stages and levels are declared for classes, in `host_tables` by their full names or by the
    class itself: `attn_positions` of a block, `attn_stages` and `attn_levels` of a backbone or neck.

    Args:
        host (nn.Module): With or without layers in it.
    """

    def __init__(self, host: nn.Module):
        self.host = host
        self.nodes = [Node('', host, None, None), *walk(host)]
        self.by_name = {node.name: node for node in self.nodes}
        self.stages = self._stages()

    def positions(self) -> list[str]:
        """Lists the named positions of this host, without `level_output`, which needs no declaration."""
        known = {}
        for node in self.nodes:
            if node.name:
                known |= dict.fromkeys(places(node.module))
            known |= dict.fromkeys(declared(node.module, 'attn_levels'))
        return [*known, *(['stage_output'] if self.stages else [])]

    def at(self, position: str, stages: Switches | None = None) -> list[InsertionPoint]:
        """Finds the places of a position in the stages that are switched on.

        Raises:
            InsertionError: The host has no such position, `stages` does not fit its stages, or a block of a stage that
                is switched on lacks the position.
        """
        if position not in self.positions():
            raise InsertionError(self._unknown(position))
        by_stage = self.by_stage(position)
        chosen = [unit for unit, on in self._switched(by_stage, stages) if on]
        lacking = [unit.name for unit in chosen if unit.target is None]
        if lacking:
            raise InsertionError(
                f'{len(lacking)} of the {len(chosen)} blocks of {type(self.host).__name__} that the entry '
                f'names have no {position!r} ({", ".join(lacking[:3])}{", ..." if lacking[3:] else ""}): name '
                f'those that have it, stages={self.having(position)}'
            )
        if not chosen:
            raise InsertionError(
                f'stages={tuple(stages)} switches every stage off: give the entry cfg=None instead'
            )
        return [unit.target for unit in chosen]

    def having(self, position: str) -> tuple[bool | tuple[bool, ...], ...]:
        """Builds the `stages=` that switch on every block that has a position."""
        has = [tuple(unit.target is not None for unit in units) for units in self.by_stage(position).values()]
        return tuple(blocks[0] if len(set(blocks)) == 1 else blocks for blocks in has)

    def by_stage(self, position: str) -> dict[str, list[Candidate]]:
        """Groups the units by stage, for those parts of the host that have the position somewhere."""
        units = self.units(position)
        owners = {unit.owner for unit in units if unit.target}
        by_stage: dict[str, list[Candidate]] = {}
        for unit in units:
            if unit.owner in owners:
                by_stage.setdefault(unit.stage, []).append(unit)
        return by_stage

    def units(self, position: str) -> list[Candidate]:
        """Lists every block, stage or level that could have a position, whether it has it or not."""
        if position == 'stage_output':
            return [
                Candidate(owner, label(names), names[-1], self._after(names[-1], label(names)))
                for owner, names in self.stages
            ]
        units = []
        for node in self.nodes:
            glob = declared(node.module, 'attn_levels').get(position)
            levels = matching(self.nodes, f'{node.name}.{glob}'.lstrip('.')) if glob else []
            units += [
                Candidate(node.name, level.name, level.name, self._after(level.name, level.name))
                for level in levels
            ]
        if units:
            return units
        for node in self.nodes:
            if node.name and (found := places(node.module)) and (at := self._stage_of(node.name)):
                (owner, stage), place = at, found.get(position)
                units.append(Candidate(owner, stage, node.name, place and self._in_block(node, place, stage)))
        return units

    def _stages(self) -> list[tuple[str, tuple[str, ...]]]:
        """Lists (owner, names of consecutive modules) of every declared stage."""
        stages = []
        for node in self.nodes:
            named = declared(node.module, 'attn_stages')
            prefix = f'{node.name}.' if node.name else ''
            if callable(named):
                stages += [
                    (node.name, tuple(prefix + name for name in names)) for names in named(node.module)
                ]
            else:
                found = [found for glob in named or () for found in matching(self.nodes, prefix + glob)]
                stages += [(node.name, (stage.name,)) for stage in found]
        return stages

    def _stage_of(self, block: str) -> tuple[str, str] | None:
        """Finds owner and stage of a block.

        It is None if the block's owner has stages and the block is in none of them (a stem, a final convolution).

        Without declared stages the module that holds the block counts as its stage.
        """
        for owner, names in self.stages:
            if any(f'{block}.'.startswith(f'{name}.') for name in names):
                return owner, label(names)
        if any(f'{block}.'.startswith(f'{owner}.'.lstrip('.')) for owner, _ in self.stages):
            return None
        return '', block.rpartition('.')[0]

    def _in_block(self, block: Node, place: str, stage: str) -> InsertionPoint | None:
        """Finds the place that a declaration such as 'after norm3' or 'before conv.-2' means in a block."""
        side, path = place.split()
        name, module = block.name, block.module
        for part in path.split('.') if path != '.' else ():
            key = _key(module, part)
            if key is None:
                return None
            name = f'{name}.{key}'
            module = self.by_name[name].module
        return self.target(name, side, stage)

    def _after(self, name: str, stage: str) -> InsertionPoint:
        return self.target(name, 'after', stage)

    def target(self, name: str, side: str, stage: str) -> InsertionPoint:
        """Finds the place after or before a module; for an `nn.Sequential` after its last or before its first module.

        There the layer's name contains the number of a block, which layer-wise learning rates read, and hosts that
        run the modules of a Sequential one by one run the layer too. If that module also stands elsewhere (one
        activation for all), the place is at the Sequential itself.
        """
        node = self.by_name[name]
        while type(node.module).forward is nn.Sequential.forward and len(node.module):
            key = list(children_of(node.module))[-1 if side == 'after' else 0]
            inner = self.by_name[f'{node.name}.{key}']
            if sum(other.module is inner.module for other in self.nodes) > 1:
                break
            node = inner
        return InsertionPoint(node, side, stage)

    def _switched(
        self, by_stage: dict[str, list[Candidate]], stages: Switches | None
    ) -> list[tuple[Candidate, bool]]:
        """Pairs every unit with whether it is switched on."""
        if stages is None:
            return [(unit, True) for units in by_stage.values() for unit in units]
        if len(stages) != len(by_stage):
            raise InsertionError(
                f'stages={tuple(stages)} has {len(stages)} values but {type(self.host).__name__} has '
                f'{len(by_stage)} stages: {", ".join(by_stage)}'
            )
        pairs = []
        for (stage, units), switch in zip(by_stage.items(), stages, strict=True):
            switches = [switch] * len(units) if isinstance(switch, bool) else switch
            if len(switches) != len(units):
                raise InsertionError(
                    f'stages= has {len(switches)} switches for the blocks of {stage}, which has {len(units)}'
                )
            pairs += zip(units, switches, strict=True)
        return pairs

    def _unknown(self, position: str) -> str:
        known, name = self.positions(), type(self.host).__name__
        if known:
            return f'{name} has no position {position!r}: {nearest(position, [*known, "level_output"])}'
        names = ', '.join(node.name for node in self.nodes[1:4])
        return (
            f'{name} has no named positions: use after=, before= or replace= with the names of its modules, such as '
            f'{names}'
        )

    def by_glob(self, patterns: str | Sequence[str], side: str) -> list[InsertionPoint]:
        """Finds places at the modules whose name matches a glob, or one of several.

        Raises:
            InsertionError: One matches nothing.
        """
        targets = []
        for pattern in [patterns] if isinstance(patterns, str) else patterns:
            found = matching(self.nodes[1:], pattern)
            if not found:
                raise InsertionError(
                    f'nothing in {type(self.host).__name__} matches {pattern!r}: '
                    f'{nearest(pattern.replace("*", ""), (node.name for node in self.nodes[1:]))}'
                )
            targets += [(node, node.name.split('.')[0]) for node in found]
        if side == 'replace':
            targets = [InsertionPoint(node, 'replace', stage) for node, stage in targets]
        else:
            targets = [self.target(node.name, side, stage) for node, stage in targets]
        # A Sequential and its last module are one place.
        return list({target.node.name: target for target in targets}.values())


def _key(module: nn.Module, part: str) -> str | None:
    """Finds the name of a child: of the n-th one, or of the one that an attribute refers to (`norm3` is `bn3`)."""
    if part.lstrip('-').isdigit():
        keys, index = list(children_of(module)), int(part)
        return keys[index] if -len(keys) <= index < len(keys) else None
    value = getattr(module, part, None)
    return next(
        (key for key, child in children_of(module).items() if child is value and value is not None), None
    )


def label(names: tuple[str, ...]) -> str:
    """Names a stage of one or several modules."""
    return names[0] if len(names) == 1 else f'{names[0]} to {names[-1]}'
