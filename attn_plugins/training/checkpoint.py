"""Checkpoints before they are used: whole or cut short, of this model or another, and which one a run resumes from.

What only asks for names and wholeness needs no torch.
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
    """Refuses what is no checkpoint file before anything is built for it; addresses on the net are left to mmengine.

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
    try:  # the format from before torch 1.6 has no table of contents: only reading it shows that it is whole
        _load(path)
    except PermissionError:
        raise
    except Exception as error:  # whatever the bytes made of torch's reader and of pickle, an OSError among it
        raise UserError(
            f'{path} is cut short or no checkpoint: get or train it again, or use another one'
        ) from error


def read_weights(path: str | Path) -> 'dict[str, Tensor]':
    """The weights of a checkpoint file by name, on the CPU.

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
    # Weights from before torch counted batches do fit.
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
    """The checkpoint that a run in this folder resumes from, None if it starts anew.

    It is the one that mmengine's `last_checkpoint` names. That file is written after the checkpoint is complete, so it
    never names one that a full disk cut short; but the file itself may be cut short or stale. Then it is the newest
    `epoch_*.pth` or `iter_*.pth` that is whole.
    """
    work_dir = Path(work_dir)
    note = work_dir / 'last_checkpoint'
    named = note.read_text().strip() if note.is_file() else ''
    if named:
        # The path was written relative to the folder the run was started from, which may be another one now.
        for path in (work_dir / Path(named).name, Path(named)):
            if path.is_file() and is_whole(path):
                return path
    return next((path for path in numbered_checkpoints(work_dir) if is_whole(path)), None)


def numbered_checkpoints(work_dir: Path) -> list[Path]:
    """The `epoch_*.pth` and `iter_*.pth` of a folder, the newest first."""
    numbered = [
        (int(match[1]), path)
        for path in work_dir.glob('*.pth')
        if (match := re.fullmatch(r'(?:epoch|iter)_(\d+)\.pth', path.name)) and path.is_file()
    ]
    return [path for _, path in sorted(numbered, reverse=True)]


def broken_checkpoints(work_dir: str | Path) -> list[Path]:
    """The numbered checkpoints of a folder that were not written to their end."""
    return [path for path in numbered_checkpoints(Path(work_dir)) if not is_whole(path)]


def seed_of(path: str | Path) -> int | None:
    """The seed of the training that wrote a checkpoint; None if it does not say."""
    return _load(path).get('meta', {}).get('seed')


def is_whole(path: Path) -> bool:
    """Whether a checkpoint was written to its end, where torch's format has the table of contents."""
    return zipfile.is_zipfile(path)


def progress_of(path: Path) -> str:
    """How far a checkpoint's run had come: 'epoch 3' or 'iteration 2000', as its name says."""
    kind, _, number = path.stem.partition('_')
    return f'{dict(iter="iteration").get(kind, kind)} {number}'


def weights_of(checkpoint) -> 'dict[str, Tensor]':
    """The weights of a checkpoint by name, as mmengine loads them: with or without `state_dict` around and `module.`
    before.
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
