"""Converts annotations file by file into masks: what is there stays, what is written is whole, a second run goes on."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.progress import track

from attn_plugins.errors import UserError

PNG_END = b'IEND\xaeB`\x82'


def convert_masks(
    draw: Callable[[Path], Image.Image], pairs: list[tuple[Path, Path]], processes: int, description: str
) -> int:
    """Draws a mask for every annotation that has no whole one, with a progress bar on stderr.

    Args:
        draw (Callable[[Path], Image.Image]): Gives the mask of an annotation; a function of a module.
        pairs (list[tuple[Path, Path]]): Annotation and PNG.
        processes (int): How many masks are drawn at once.
        description (str): Stands before the progress bar.

    Returns:
        int: How many were written.

    Raises:
        UserError: An annotation cannot be read.
    """
    todo = [(source, target) for source, target in pairs if not is_whole(target)]
    for folder in {target.parent for _, target in todo}:
        folder.mkdir(parents=True, exist_ok=True)
    for _ in track(
        _drawn(draw, todo, processes),
        description,
        total=len(todo),
        console=Console(stderr=True),
        transient=True,
    ):
        pass
    return len(todo)


def _drawn(draw: Callable, todo: list[tuple[Path, Path]], processes: int) -> Iterator[None]:
    if processes == 1 or len(todo) < 2:
        yield from (_convert(draw, source, target) for source, target in todo)
        return
    with ProcessPoolExecutor(processes, initializer=_leave_ctrl_c) as pool:
        futures = [pool.submit(_convert, draw, source, target) for source, target in todo]
        try:
            yield from (future.result() for future in as_completed(futures))
        finally:  # after an error or Ctrl-C nothing else is begun
            pool.shutdown(cancel_futures=True)


def _leave_ctrl_c() -> None:
    """Ctrl-C reaches every process of a terminal; the one that started the others ends them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _convert(draw: Callable, source: Path, target: Path) -> None:
    try:
        mask = draw(source)
    except UserError:
        raise
    except Exception as error:  # what json, scipy and PIL raise on a file that is cut short is of many kinds
        raise UserError(
            f'{source} cannot be converted ({type(error).__name__}: {error}): get it again'
        ) from error
    with replaced(target) as path:
        mask.save(path, 'PNG')


@contextmanager
def replaced(target: Path) -> Iterator[Path]:
    """A file beside `target` that takes its place at the end of the block, so that no half of it ever stands there."""
    path = target.with_name(f'.{target.name}.{os.getpid()}')
    try:
        yield path
        path.replace(target)
    finally:
        path.unlink(missing_ok=True)


def is_whole(path: Path) -> bool:
    """Whether a PNG is there up to its last bytes; OpenMMLab's own tools leave half of one when they are stopped."""
    if not path.is_file() or path.stat().st_size < len(PNG_END):
        return False
    with open(path, 'rb') as file:
        file.seek(-len(PNG_END), os.SEEK_END)
        return file.read() == PNG_END


def write_list(path: Path, names: list[str]) -> None:
    """Writes a list of images, a name per line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced(path) as file:
        file.write_text(''.join(f'{name}\n' for name in names))
