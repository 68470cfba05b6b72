"""Records the outputs of modules in a forward pass by hooks, without changing the model."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from torch import Tensor, nn

from attn_plugins.compat import children_of
from attn_plugins.errors import UserError
from attn_plugins.insertion.tree import Node, matching, walk
from attn_plugins.registry import nearest


class Features:
    """Records the outputs of modules, named by their paths, while it is switched on.

    Args:
        model (nn.Module): The model. Its modules get a forward hook each, which does nothing outside of `reading`.
        paths (Iterable[str]): Names of modules as the plain model has them, or globs that match one. At a place with an
            inserted layer the layer's output is recorded.
        whose (str): 'student' or 'teacher', for messages.

    Raises:
        UserError: A path matches no module or several.
    """

    def __init__(self, model: nn.Module, paths: Iterable[str], whose: str):
        self.whose = whose
        self.kept: dict[str, list] | None = None
        nodes = list(walk(model))
        for path in dict.fromkeys(paths):
            parent, key = find(nodes, path, whose).outer
            children_of(parent)[key].register_forward_hook(partial(self._keep, path))

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Keeps the outputs of this context; those kept before are dropped."""
        self.start()
        try:
            yield
        finally:
            self.stop()

    def start(self) -> None:
        """Starts to keep all outputs."""
        self.kept = {}

    def stop(self) -> dict[str, list]:
        """Stops to keep outputs, and returns those that were kept."""
        kept, self.kept = self.kept or {}, None
        return kept

    def _keep(self, path: str, module: nn.Module, args: tuple, output) -> None:
        if self.kept is not None:
            self.kept.setdefault(path, []).append(_copied(output))


def _copied(output):
    """Copies the maps that a module returns.

    The host may change its own in place, as a ResNet adds the shortcut to the output of `bn2`.
    """
    if isinstance(output, Tensor):
        return output.clone()
    return [_copied(part) for part in output] if isinstance(output, (list, tuple)) else output


def find(nodes: list[Node], path: str, whose: str) -> Node:
    """Finds the one module that a path names.

    Raises:
        UserError: There is none, or there are several.
    """
    found = matching(nodes, path)
    if len(found) == 1:
        return found[0]
    if found:
        names = ', '.join(node.name for node in found[:3])
        raise UserError(
            f'{path!r} matches {len(found)} modules of the {whose} '
            f'({names}{", ..." if len(found) > 3 else ""}): write one'
        )
    raise UserError(f'the {whose} has no module {path!r}: {nearest(path, (node.name for node in nodes))}')


def maps_of(kept: dict[str, list], path: str, whose: str) -> list[Tensor]:
    """Lists all tensors that a module returned, one after the other; for a neck those of its levels.

    Raises:
        UserError: It was not called, or its outputs are no tensors.
    """
    if path not in kept:
        raise UserError(
            f'{path!r} of the {whose} is not called in its forward pass, so there is nothing to compare: name '
            'another module'
        )
    tensors = [
        part for output in kept[path] for part in (output if isinstance(output, (list, tuple)) else [output])
    ]
    for part in tensors:
        if not isinstance(part, Tensor):
            raise UserError(
                f'{path!r} of the {whose} hands on a {type(part).__name__}, no map: name another module'
            )
    return tensors
