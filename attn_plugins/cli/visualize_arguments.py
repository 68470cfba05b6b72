"""Defines the arguments of visualize.py: which models, which images, and what to draw."""

import argparse
from pathlib import Path

from attn_plugins.cli.arguments import ConfigOptions, positive

DESCRIPTION = (
    'Pictures of what trained models look at: class activation maps, attention maps, the gates of their layers, their '
    'effective receptive fields.'
)
EXAMPLES = """examples:
  one model, by its config and checkpoint
    python tools/visualize.py cam CONFIG CHECKPOINT --attention ca --images a.jpg b.jpg
  several, side by side, each by its work dir or checkpoint
    python tools/visualize.py cam --model none=work_dirs/plain --model ca=work_dirs/ca/epoch_8.pth --images a.jpg
  where a student and its teacher are active, at three layers each
    python tools/visualize.py attention-maps --model student=work_dirs/student --model teacher=work_dirs/teacher
  the runs of a suite
    python tools/visualize.py cam --suite demo --config detection --first 3"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter, epilog=EXAMPLES
    )
    commands = parser.add_subparsers(
        dest='command', required=True, metavar='cam|attention-maps|gates|receptive-field'
    )
    _add_cam(commands)
    _add_attention_maps(commands)
    _add_gates(commands)
    _add_receptive_field(commands)
    args = parser.parse_args(argv)
    given = [bool(args.config), bool(args.model), bool(args.suite)]
    if sum(given) != 1:
        commands.choices[args.command].error(
            'name the models in one way: CONFIG [CHECKPOINT], --model or --suite'
        )
    if args.suite and not args.suite_config:
        commands.choices[args.command].error('--suite needs --config KEY, one of its configs')
    if args.images and args.first:
        commands.choices[args.command].error('--images and --first exclude each other')
    return args


def _add_cam(commands) -> None:
    command = _add_command(
        commands, 'cam', 'class activation maps: where the score of a class or a box comes from'
    )
    command.add_argument(
        '--method',
        help='gradcam (default), gradcam++, layercam, hirescam, xgradcam, eigencam, eigengradcam, scorecam, '
        'ablationcam; of a detector odam (default), drise, and those of the others that change no image',
    )
    command.add_argument(
        '--layer',
        help="of which map, by the module's name, NAME[i] for one of several (default: of the maps that the "
        'backbone hands on, the one that the score depends on most)',
    )
    command.add_argument(
        '--class',
        dest='class_',
        metavar='CLASS',
        help="a class by name or number (default: the first model's prediction; "
        'of a segmentor the largest class it predicts besides background)',
    )
    command.add_argument(
        '--box',
        nargs='+',
        type=int,
        default=[0],
        metavar='N',
        help='detections of the first model, the best is 0 (default); '
        'other models show their detection of the same object',
    )
    command.add_argument(
        '--score-threshold', type=float, default=0.3, help='the least score of a detection (default: 0.3)'
    )
    command.add_argument(
        '--masks', type=positive, default=1000, help='of drise (default: 1000; the paper has 5000)'
    )
    command.add_argument('--mask-seed', type=int, default=0, help="of drise's masks (default: 0)")


def _add_attention_maps(commands) -> None:
    command = _add_command(
        commands,
        'attention-maps',
        'where layers are active: |activation|^p, summed over the channels (attention transfer)',
    )
    command.add_argument(
        '--layers',
        nargs='+',
        action='append',
        metavar='NAME',
        help="modules' names, low to high, NAME[i] for one of several maps; once for all models, or once "
        'for each in their '
        'order (default: the first, the middle and the last stage of the backbone)',
    )
    command.add_argument(
        '--p', nargs='+', type=positive, default=[1, 2, 4], help='powers, a column each (default: 1 2 4)'
    )
    command.add_argument(
        '--map',
        choices=('sum', 'max'),
        default='sum',
        help='over the channels the sum (default) or the largest',
    )


def _add_gates(commands) -> None:
    command = _add_command(commands, 'gates', 'what each inserted layer multiplied its map by')
    command.add_argument('--layers', nargs='+', metavar='NAME', help='inserted layers (default: all)')


def _add_receptive_field(commands) -> None:
    command = _add_command(commands, 'receptive-field', 'the pixels that the centre of a map depends on')
    command.add_argument(
        '--layer',
        help="a module's name, NAME[i] for one of several maps; an inserted layer is shown before and after it "
        '(default: the last map of the backbone)',
    )


def _add_command(commands, name: str, text: str) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=text,
        description=text,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=EXAMPLES,
    )
    command.add_argument('config', nargs='?', help='config file')
    command.add_argument('checkpoint', nargs='?', help='checkpoint of it; without one the weights are random')
    command.add_argument('--attention', metavar='PRESET', help="the checkpoint's preset, with CONFIG")
    command.add_argument(
        '--cfg-options',
        nargs='+',
        action=ConfigOptions,
        metavar='KEY=VALUE',
        help='single values, with CONFIG',
    )
    command.add_argument(
        '--model',
        action='append',
        metavar='NAME=PATH',
        help='a work dir or a checkpoint, and what to call it; repeat it',
    )
    command.add_argument('--suite', help='a suite whose runs have been trained: its file, or demo')
    command.add_argument(
        '--config', dest='suite_config', metavar='KEY', help='a config of the suite, by its key'
    )
    command.add_argument('--presets', nargs='+', help="of the suite (default: all of the config's)")
    command.add_argument('--seed', type=int, help="of the suite (default: the config's first)")
    command.add_argument(
        '--work-dir', help="folder of the suite's runs (default: work_dirs/<name of the suite>)"
    )
    command.add_argument('--images', nargs='+', metavar='FILE', help='image files')
    command.add_argument(
        '--first', type=positive, metavar='N', help='the first N images of the test data set'
    )
    command.add_argument(
        '--out',
        type=Path,
        default=Path(),
        metavar='FOLDER|FILE.png',
        help=f'where {name}.png goes, or the name of the picture (default: this folder)',
    )
    command.add_argument('--debug', action='store_true', help='show the traceback of an error')
    return command
