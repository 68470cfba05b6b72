"""Trainings of what is no OpenMMLab model: each is written when it is finished, so that the same command goes on
after a stop.

For the parts of a project that no suite can run, such as translation and style transfer.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from attn_plugins.errors import UserError
from attn_plugins.files import read_json, write_json
from attn_plugins.machine import git_commit, machine, versions


class Training(NamedTuple):
    """One training.

    Attributes:
        name: What to call it while it runs.
        file: Where what came of it stands once it is finished.
        train: Trains, told whom to tell how many steps are done; returns what came of it, and a few words for the
            screen.
    """

    name: str
    file: Path
    train: Callable[[Callable[[int], None]], tuple[dict, str]]


def keep_settings(file: Path, settings: dict) -> None:
    """Writes what decides all trainings of a folder into it, or makes sure that it is what decided those that are
    there.

    Raises:
        UserError: The folder holds results of other settings.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    before = read_json(file)
    if before is None:
        write_json(file, settings)
    elif before != settings:
        changed = [
            f'{key} was {before.get(key)} and is {settings.get(key)}'
            for key in {**before, **settings}
            if before.get(key) != settings.get(key)
        ]
        raise UserError(
            f'{file.parent} holds results of other settings ({"; ".join(changed)}): give another --out, or remove it'
        )


def carry_out(trainings: Sequence[Training], steps: int, made_with: dict, console: Console) -> None:
    """Carries out what is not finished, one after the other, and writes what came of each beside how it was made.

    Args:
        trainings: All, finished or not.
        steps: Of each.
        made_with: What is to stand in every file besides machine, threads, versions and commit.
        console: For progress and the time left.
    """
    # Of now, when the code is loaded: it may have changed when a training ends.
    made_with = dict(
        threads=torch.get_num_threads(), machine=machine(), versions=versions(), commit=git_commit()
    ) | dict(made_with)
    todo = [training for training in trainings if not training.file.is_file()]
    if len(todo) < len(trainings):
        folder = trainings[0].file.parent
        console.print(
            f'{len(trainings) - len(todo)} of {len(trainings)} trainings are finished in {folder} and stay'
        )
    columns = (TextColumn('{task.description}'), BarColumn(), TextColumn('{task.percentage:.0f} %'))
    started = time.monotonic()
    with Progress(*columns, TimeRemainingColumn(), TextColumn('left'), console=console) as progress:
        task = progress.add_task('', total=len(todo) * steps)
        for number, training in enumerate(todo):
            progress.update(task, description=training.name)

            def done(step: int, number: int = number) -> None:
                progress.update(task, completed=number * steps + step)

            training.file.parent.mkdir(parents=True, exist_ok=True)
            result, words = training.train(done)
            write_json(training.file, result | made_with)
            left = (time.monotonic() - started) / (number + 1) * (len(todo) - number - 1) / 60
            progress.console.print(
                f'{training.name}: {words}, {number + 1} of {len(todo)}, about {left:.0f} min left'
            )
