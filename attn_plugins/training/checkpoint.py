"""Checks checkpoints before they are used (complete, of this model) and finds the one that a run resumes from.

Functions that need only names and completeness do not import torch.
"""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from attn_plugins.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn


def check_file(path: str | Path) -> None:
    """Refuses a file that is no checkpoint before anything is built for it; URLs are left to mmengine.

    Raises:
        UserError: There is no such file, it is cut short, or it is no checkpoint.
    """
    if '://' in str(path):
        return
    path = Path(path)
    if not path.is_file():
        others = sorted(str(file) for file in path.parent.glob('*.pth'))
        raise UserError(
            f'there is no checkpoint {path}' + (f': choose from {", ".join(others)}' if others else '')
        )
    if is_whole(path):
        return
    try:  # the format before torch 1.6 has no table of contents: only reading it shows that it is complete
        _load(path)
    except PermissionError:
        raise
    except Exception as error:  # corrupt bytes raise any error of torch's reader or pickle, also OSError
        raise UserError(
            f'{path} is cut short or no checkpoint: get or train it again, or use another one'
        ) from error


def read_weights(path: str | Path) -> 'dict[str, Tensor]':
    """Reads the weights of a checkpoint file by name, on the CPU.

    Raises:
        UserError: There is no such file, or it holds no weights.
    """
    check_file(path)
    weights = weights_of(_load(path))
    if not weights:
        raise UserError(f'{path} holds no weights: give a checkpoint that a training run has written')
    return weights


def check_fits(checkpoint: dict, model: 'nn.Module', path: str | Path, advice: str) -> None:
    """Compares a checkpoint's weights with a model's, by name and shape.

    Args:
        checkpoint (dict): As read.
        model (nn.Module): The model that is to load it.
        path (str or Path): Where it was read from, for the message.
        advice (str): What to do if it does not fit.

    Raises:
        UserError: The two differ; the message counts the differences and names the first.
    """
    loaded = weights_of(checkpoint)
    if not loaded:
        raise UserError(f'{path} holds no weights: give a checkpoint that a training run has written')
    expected = model.state_dict()
    # Weights from before torch counted batches (`num_batches_tracked`) do fit.
    missing = [key for key in expected if key not in loaded and not key.endswith('num_batches_tracked')]
    unexpected = [key for key in loaded if key not in expected]
    reshaped = [key for key in expected if key in loaded and expected[key].shape != loaded[key].shape]
    faults = [
        f'{len(keys)} {word} (first: {keys[0]})'
        for word, keys in (('missing', missing), ('unexpected', unexpected), ('of another shape', reshaped))
        if keys
    ]
    if faults:
        raise UserError(
            f'{path} is the checkpoint of another model, its weights are {", ".join(faults)}: {advice}'
        )


def latest_checkpoint(work_dir: str | Path) -> Path | None:
    """Returns the checkpoint that a run in this folder resumes from, None if it starts anew.

    It is the one that mmengine's `last_checkpoint` names. That file is written after the checkpoint is complete, so it
    never names a checkpoint that a full disk cut short; but the file itself may be cut short or outdated. In that case
    the newest complete `epoch_*.pth` or `iter_*.pth` is used.
    """
    work_dir = Path(work_dir)
    note = work_dir / 'last_checkpoint'
    named = note.read_text().strip() if note.is_file() else ''
    if named:
        # The path was written relative to the folder that the run was started from, which may differ now.
        for path in (work_dir / Path(named).name, Path(named)):
            if path.is_file() and is_whole(path):
                return path
    return next((path for path in numbered_checkpoints(work_dir) if is_whole(path)), None)


def numbered_checkpoints(work_dir: Path) -> list[Path]:
    """Lists the `epoch_*.pth` and `iter_*.pth` of a folder, the newest first."""
    numbered = [
        (int(match[1]), path)
        for path in work_dir.glob('*.pth')
        if (match := re.fullmatch(r'(?:epoch|iter)_(\d+)\.pth', path.name)) and path.is_file()
    ]
    return [path for _, path in sorted(numbered, reverse=True)]


def broken_checkpoints(work_dir: str | Path) -> list[Path]:
    """Lists the numbered checkpoints of a folder that are incomplete."""
    return [path for path in numbered_checkpoints(Path(work_dir)) if not is_whole(path)]


def seed_of(path: str | Path) -> int | None:
    """Reads the seed of the training that wrote a checkpoint; None if the checkpoint has none."""
    return _load(path).get('meta', {}).get('seed')


def is_whole(path: Path) -> bool:
    """Tells whether a checkpoint is complete: torch's format has the table of contents at the end."""
    return zipfile.is_zipfile(path)


def progress_of(path: Path) -> str:
    """Returns how far a checkpoint's run had come: 'epoch 3' or 'iteration 2000', taken from its name."""
    kind, _, number = path.stem.partition('_')
    return f'{dict(iter="iteration").get(kind, kind)} {number}'


def weights_of(checkpoint) -> 'dict[str, Tensor]':
    """Returns the weights of a checkpoint by name, as mmengine loads them.

    They may be wrapped in `state_dict`, and their names may start with `module.`.
    """
    from torch import Tensor

    weights = checkpoint.get('state_dict', checkpoint) if isinstance(checkpoint, Mapping) else {}
    if not isinstance(weights, Mapping):
        return {}
    return {
        re.sub(r'^module\.', '', key): value
        for key, value in weights.items()
        if isinstance(key, str) and isinstance(value, Tensor)
    }


def _load(path: str | Path):
    from mmengine.runner import CheckpointLoader

    return CheckpointLoader.load_checkpoint(str(path), map_location='cpu')
