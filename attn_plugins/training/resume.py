"""Decides from a training's folder whether it begins, is resumed or has finished; `exact_resume.py` resumes it."""

import time
from itertools import count
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config
from mmengine.dist import barrier, get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from attn_plugins.errors import UserError
from attn_plugins.files import read_json, write_json
from attn_plugins.training.checkpoint import (
    broken_checkpoints,
    check_file,
    latest_checkpoint,
    numbered_checkpoints,
    progress_of,
)
from attn_plugins.training.fingerprint import differences, settings_of

# Beside the checkpoints of a training: its settings.
TRAINING = 'training.json'


class Decision(NamedTuple):
    """What a training does with its folder.

    Attributes:
        checkpoint: What it goes on from; None if it begins.
        changed: Which of its settings have changed since it began, in words.
        end: 'epoch 12 of 12' if it has finished, and nothing is left to do.
    """

    checkpoint: Path | None = None
    changed: str = ''
    end: str = ''


class TrainingRecordHook(Hook):
    """Writes the settings of a training beside its checkpoints, and finally that it has finished.

    The settings are written with each checkpoint, so that both are of the same training.

    Args:
        work_dir (Path): The training's folder.
        settings (dict[str, str]): As `settings_of` gives them.
    """

    def __init__(self, work_dir: Path, settings: dict[str, str]):
        self.path, self.settings = work_dir / TRAINING, settings

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Writes the settings; only the main process saves."""
        self._write(finished=False)

    def after_train(self, runner: Runner) -> None:
        """Notes that the training has finished, with the validation after its last checkpoint."""
        if is_main_process() and self.path.is_file():
            self._write(finished=True)

    def _write(self, finished: bool) -> None:
        write_json(self.path, dict(settings=self.settings, finished=finished))


def training_settings(cfg: Config, work_dir: Path) -> dict[str, str]:
    """Reads the settings of this training.

    If a config was dumped by a resumed part of the training, it names a checkpoint of its own.
    """
    settings = settings_of(cfg)
    if Path(str(cfg.get('load_from'))).parent == work_dir:
        settings['load_from'] = repr(None)
    if get_world_size() > 1:
        settings['processes'] = str(get_world_size())
    return settings


def decide(cfg: Config, work_dir: Path, resume: str | None, settings: dict[str, str]) -> Decision:
    """Decides whether a training begins, goes on from a checkpoint, or has finished.

    Args:
        cfg (Config): Of the training.
        work_dir (Path): Its folder.
        resume (str, optional): A checkpoint to go on from, or 'auto': the folder's last one, though settings have
            changed.
        settings (dict[str, str]): Of `training_settings`.

    Raises:
        UserError: The folder is of a training with other settings, or the named checkpoint cannot be used.
    """
    if resume not in (None, 'auto'):
        check_file(resume)
        return Decision(Path(resume), _changed_settings(Path(resume).parent, settings))
    broken = broken_checkpoints(work_dir)
    if broken:
        say(f'passed over, since cut short: {", ".join(map(str, broken))}')
    checkpoint = latest_checkpoint(work_dir)
    if checkpoint is None:
        return Decision()
    if _record(work_dir) is None:
        say(f'nothing in {work_dir} says with which settings it was trained: they are taken to be these')
    changed, end = _changed_settings(work_dir, settings), _end_of(cfg, checkpoint)
    if changed and (resume is None or end):
        if resume is None:
            which = 'which differs in'
            choice = (
                'start over with --from-scratch, or go on from its last checkpoint nevertheless with --resume'
            )
        else:
            which, choice = 'which has finished and differs in', 'or start over with --from-scratch'
        raise UserError(
            f'{work_dir} holds another training, {which} {changed}: choose another --work-dir, {choice}'
        )
    return Decision(checkpoint, changed, end if end and _has_ended(work_dir) else '')


def _record(work_dir: Path) -> dict | None:
    """Reads the settings with which a folder was trained, and whether that training has finished.

    None if OpenMMLab's own tools trained in it.
    """
    content = read_json(work_dir / TRAINING)
    if content is None or 'settings' in content:
        return content
    return dict(settings=content, finished=True)  # from before files had this key


def _changed_settings(work_dir: Path, settings: dict[str, str]) -> str:
    record = _record(work_dir)
    return differences(record['settings'], settings) if record else ''


def _has_ended(work_dir: Path) -> bool:
    """Tells whether the training finished the validation after its last checkpoint, as far as is known."""
    record = _record(work_dir)
    return record is None or record['finished']


def _end_of(cfg: Config, checkpoint: Path) -> str | None:
    """Returns 'epoch 12 of 12' if a checkpoint is the last of its training, else None."""
    kind, _, number = checkpoint.stem.partition('_')
    most = (cfg.get('train_cfg') or {}).get(dict(epoch='max_epochs', iter='max_iters').get(kind))
    return f'{progress_of(checkpoint)} of {most}' if most and int(number) >= most else None


def put_aside(work_dir: Path) -> None:
    """Moves the checkpoints of an earlier run into a folder beside, so that none of them is resumed."""
    earlier = [*numbered_checkpoints(work_dir), *work_dir.glob('last_checkpoint'), *work_dir.glob(TRAINING)]
    if earlier and is_main_process():
        name = time.strftime('before_%Y%m%d_%H%M%S')
        folder = next(
            place for n in count(1) if not (place := work_dir / (name if n == 1 else f'{name}_{n}')).exists()
        )
        folder.mkdir()
        for path in earlier:
            path.rename(folder / path.name)
        say(f'starting over: the earlier checkpoints are in {folder}')
    barrier()


def how_to_resume(work_dir: str, from_scratch: bool = False) -> str:
    """Returns the end of a sentence: how to resume after an interruption."""
    path = latest_checkpoint(work_dir)
    if path is None:
        return 'run the same command again: no checkpoint was written yet, so it starts from the beginning'
    without = ' without --from-scratch' if from_scratch else ''
    return f'run the same command again{without}: it resumes from {progress_of(path)}'


def say(text: str) -> None:
    """Prints a line, in the first process only."""
    if is_main_process():
        print(text, flush=True)
