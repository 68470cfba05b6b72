"""Names what comes after a suite has finished: three commands that work as they are printed, from the same folder."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attn_plugins.cli.called import other_command, python_command, shown
from attn_plugins.mim import CONFIGS

if TYPE_CHECKING:
    from attn_plugins.benchmark.results import RunState
    from attn_plugins.benchmark.suite import Run, Suite

PLUG = (
    'import attn_plugins, torchvision; model = attn_plugins.plug(torchvision.models.resnet18(), '
    "[dict(cfg=dict(type='attn_plugins.CoordAttention'), after='layer*')]); "
    "print(*attn_plugins.inserted_layers(model), sep='\\n')"
)


def next_steps(
    suite: 'Suite', states: 'Sequence[RunState]', word: str, work_dir: str | None
) -> dict[str, str]:
    """Writes the commands, each under what it is for.

    Args:
        suite: The suite, whose runs are over.
        states: Their states.
        word: The suite as it was named on the command line.
        work_dir: The folder that was named there.
    """
    commands = {
        'a suite of your own, to be edited and then run': _own_suite(suite),
        'a layer in a model of your own': python_command(PLUG),
    }
    finished = [state.run for state in states if state.state == 'finished' and state.run.trial is None]
    if finished:
        commands['what the models look at'] = _picture(suite, finished, word, work_dir)
    return commands


def _own_suite(suite: 'Suite') -> str:
    """Writes the suite to a new file under another name, beside the old one or, of a shipped suite, here."""
    source = suite.path.resolve()
    folder = Path() if source.is_relative_to(CONFIGS.resolve()) else suite.path.parent
    names = [f'my_{suite.name}', *(f'my_{suite.name}_{number}' for number in range(2, 1000))]
    name = next(name for name in names if not (folder / f'{name}.yml').exists())
    copy = shlex.join(['sed', f's/^name:.*/name: {name}/', shown(source)])
    file = shown(folder / f'{name}.yml')
    return f'{copy} > {shlex.quote(file)} && {other_command("benchmark", ["plan", file])}'


def _picture(suite: 'Suite', finished: 'Sequence[Run]', word: str, work_dir: str | None) -> str:
    """Draws class activation maps of a classifier, which predicts a class of any image, else the maps of a backbone."""
    classifier = next((run for run in finished if _library(run) == 'mmpretrain'), None)
    first, kind = classifier or finished[0], 'cam' if classifier else 'attention-maps'
    alike = [run for run in finished if (run.config_key, run.seed) == (first.config_key, first.seed)]
    words = [kind, '--suite', word, '--config', first.config_key, '--seed', str(first.seed)]
    words += ['--presets', *(run.preset_name for run in alike[:2])]
    words += ['--work-dir', work_dir] if work_dir else []
    return other_command('visualize', [*words, '--out', str(suite.folder / f'{kind}.png')])


def _library(run: 'Run') -> str:
    """Reads a run's library in its config; '' if that is not there any more."""
    from attn_plugins.benchmark.run_folder import CONFIG

    config = run.folder / CONFIG
    found = re.search(
        r"^default_scope = '(\w+)'", config.read_text() if config.is_file() else '', re.MULTILINE
    )
    return found[1] if found else ''
