"""Pictures of what trained models look at: class activation maps, the gates of their layers, their effective receptive fields."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

from attn_plugins.cli.arguments import ConfigOptions, positive
from attn_plugins.cli.errors import friendly_errors
from attn_plugins.errors import UserError

EXAMPLES = """examples:
  one model, by its config and checkpoint
    python tools/visualize.py cam CONFIG CHECKPOINT --attention ca --images a.jpg b.jpg
  several, side by side, each by its work dir or checkpoint
    python tools/visualize.py cam --model none=work_dirs/plain --model ca=work_dirs/ca/epoch_8.pth --images a.jpg
  the runs of a suite
    python tools/visualize.py cam --suite demo --config detection --first 3"""
# Images where none are named.
FIRST = 3
# Inputs of noise for a receptive field.
NOISE = 8


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, epilog=EXAMPLES
    )
    commands = parser.add_subparsers(dest='command', required=True, metavar='cam|gates|receptive-field')
    cam = _add_command(
        commands, 'cam', 'class activation maps: where the score of a class or a box comes from'
    )
    cam.add_argument(
        '--method',
        help='gradcam (default), gradcam++, layercam, hirescam, xgradcam, eigencam, eigengradcam, scorecam, '
        'ablationcam; of a detector odam (default), drise, and those of the others that change no image',
    )
    cam.add_argument(
        '--layer',
        help="of which map, by the module's name, NAME[i] for one of several (default: of the maps that the "
        'backbone hands on, the one that the score depends on most)',
    )
    cam.add_argument(
        '--class',
        dest='class_',
        metavar='CLASS',
        help="a class by name or number (default: the first model's prediction; "
        'of a segmentor the largest class it predicts besides background)',
    )
    cam.add_argument(
        '--box',
        nargs='+',
        type=int,
        default=[0],
        metavar='N',
        help='detections of the first model, the best is 0 (default); '
        'other models show their detection of the same object',
    )
    cam.add_argument(
        '--score-threshold', type=float, default=0.3, help='the least score of a detection (default: 0.3)'
    )
    cam.add_argument(
        '--masks', type=positive, default=1000, help='of drise (default: 1000; the paper has 5000)'
    )
    cam.add_argument('--mask-seed', type=int, default=0, help="of drise's masks (default: 0)")
    gates = _add_command(commands, 'gates', 'what each inserted layer multiplied its map by')
    gates.add_argument('--layers', nargs='+', metavar='NAME', help='inserted layers (default: all)')
    field = _add_command(commands, 'receptive-field', 'the pixels that the centre of a map depends on')
    field.add_argument(
        '--layer',
        help="a module's name, NAME[i] for one of several maps; an inserted layer is shown before and after it "
        '(default: the last map of the backbone)',
    )
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
    command.add_argument('--out', type=Path, metavar='FILE.png', help=f'the picture (default: {name}.png)')
    command.add_argument('--debug', action='store_true', help='show the traceback of an error')
    return command


def main(argv: list[str] | None = None) -> None:
    """Writes the picture and prints its path."""
    args = parse_args(argv)
    out = args.out or Path(f'{args.command}.png')
    with friendly_errors(args.debug):
        if out.suffix != '.png':
            raise UserError(f'{out} is no PNG file: let the name of --out end with .png')
        if not out.parent.is_dir():
            raise UserError(f'there is no folder {out.parent}: make it, or write elsewhere')
        with redirect_stdout(sys.stderr):  # what the libraries have to say is no part of the answer
            subjects = _subjects(args)
            {'cam': _cam, 'gates': _gates, 'receptive-field': _receptive_field}[args.command](
                args, subjects, out
            )
        print(out)


def _subjects(args: argparse.Namespace) -> list:
    """The models, in the order of their columns."""
    from attn_plugins.engine.config import load_config, preset_name
    from attn_plugins.visualization.subject import load_subject, load_trained

    if args.config:
        name = preset_name(args.attention) if args.attention else Path(args.config).stem
        return [
            load_subject(load_config(args.config, args.attention, args.cfg_options), args.checkpoint, name)
        ]
    if args.suite:
        paths = _suite_runs(args)
    else:
        paths = {}
        for word in args.model:
            name, equals, path = word.partition('=')
            if not (name and equals and path):
                raise UserError(f'--model takes NAME=PATH, not {word!r}: --model ca=work_dirs/ca')
            if name in paths:
                raise UserError(f'two models are called {name!r}: give each a name of its own')
            paths[name] = Path(path)
    subjects = [load_trained(path, name) for name, path in paths.items()]
    if len({subject.library for subject in subjects}) > 1:
        kinds = ', '.join(f'{subject.name} of {subject.library}' for subject in subjects)
        raise UserError(
            f'models of one library stand side by side, these are {kinds}: make a picture of each'
        )
    return subjects


def _suite_runs(args: argparse.Namespace) -> dict[str, Path]:
    """Preset -> the folder of its run."""
    from attn_plugins.benchmark.suite import read_suite
    from attn_plugins.benchmark.suite_presets import BASELINE
    from attn_plugins.registry import nearest

    suite = read_suite(args.suite, args.work_dir)
    key = args.suite_config
    runs = [run for run in suite.runs if run.config_key == key]
    if not runs:
        raise UserError(f'suite {args.suite} has no config {key!r}: {nearest(key, suite.config_keys)}')
    seed = runs[0].seed if args.seed is None else args.seed
    chosen = {run.preset_name: run for run in runs if run.seed == seed}
    if not chosen:
        seeds = nearest(str(seed), {str(run.seed) for run in runs})
        raise UserError(f'suite {args.suite} does not train {key} with seed {seed}: {seeds}')
    presets = args.presets or [
        name for name, run in chosen.items() if not (args.command == 'gates' and run.preset == BASELINE)
    ]
    for preset in presets:
        if preset not in chosen:
            raise UserError(
                f'suite {args.suite} does not train {key} with {preset!r}: {nearest(preset, chosen)}'
            )
        if not chosen[preset].folder.is_dir():
            raise UserError(
                f'{chosen[preset].folder} is not there, the run has not begun: run tools/benchmark.py run {args.suite}, or '
                'name its folder with --work-dir'
            )
    return {preset: chosen[preset].folder for preset in presets}


def _images(args: argparse.Namespace, subjects: Sequence, number: int) -> list[Path]:
    from attn_plugins.visualization.picture import first_images

    if args.images:
        return [Path(path) for path in args.images]
    return first_images(subjects[0].cfg, subjects[0].library, args.first or number)


def _cam(args: argparse.Namespace, subjects: Sequence, out: Path) -> None:
    from attn_plugins.visualization.cam import check_method, compute_cam
    from attn_plugins.visualization.cam_figure import Row, draw_cams
    from attn_plugins.visualization.network import Network
    from attn_plugins.visualization.picture import read_picture
    from attn_plugins.visualization.target import choose_target, same_target

    method = check_method(args.method, subjects[0].library)
    boxes = args.box if subjects[0].library == 'mmdet' else [0]
    rows = []
    for path in _images(args, subjects, FIRST):
        pictures = [read_picture(subject, path) for subject in subjects]
        networks = [
            Network(subject, picture.samples) for subject, picture in zip(subjects, pictures, strict=True)
        ]
        for box in boxes:
            first = choose_target(networks[0], pictures[0], args.class_, box, args.score_threshold)
            cells = []
            for network, picture in zip(networks, pictures, strict=True):
                target = first if network is networks[0] else same_target(network, picture, first)
                cells.append(
                    target
                    and (
                        target,
                        compute_cam(network, picture, target, method, args.layer, args.masks, args.mask_seed),
                    )
                )
            rows.append(Row(pictures[0], cells))
    draw_cams(subjects, rows, method, args.masks, out)


def _gates(args: argparse.Namespace, subjects: Sequence, out: Path) -> None:
    from attn_plugins.analysis.gates import choose_layers
    from attn_plugins.visualization.gates import read_gates
    from attn_plugins.visualization.gates_figure import Block, draw_gates
    from attn_plugins.visualization.network import Network
    from attn_plugins.visualization.picture import read_picture

    for subject in subjects:
        choose_layers(subject.model, None, subject.name)
    blocks = []
    for path in _images(args, subjects, 1):
        for subject in subjects:
            picture = read_picture(subject, path)
            gates = read_gates(Network(subject, picture.samples), picture.inputs, args.layers)
            blocks.append(Block(subject, picture, gates))
    draw_gates(blocks, out)


def _receptive_field(args: argparse.Namespace, subjects: Sequence, out: Path) -> None:
    import torch

    from attn_plugins.analysis.forward_pass import input_size, make_input
    from attn_plugins.insertion.tree import inserted_layers
    from attn_plugins.visualization.network import Network, backbone_layers
    from attn_plugins.visualization.picture import read_picture
    from attn_plugins.visualization.receptive_field import fields_around, receptive_field
    from attn_plugins.visualization.receptive_field_figure import draw_fields

    rows: dict[str, list] = {}
    for subject in subjects:
        if args.images or args.first:
            pictures = [read_picture(subject, path) for path in _images(args, subjects, FIRST)]
            batch = [picture.inputs for picture in pictures]
            words = f'{len(batch)} image{"s" if len(batch) > 1 else ""}'
        else:
            torch.manual_seed(0)
            batch = [make_input(subject.cfg, subject.model, input_size(subject.cfg)) for _ in range(NOISE)]
            words = f'{NOISE} inputs of noise'
        network = Network(subject, [])
        layers = inserted_layers(subject.model)
        if args.layer in layers:
            before, after = fields_around(network, batch, layers[args.layer])
            rows.setdefault('before', []).append(before)
            rows.setdefault('after', []).append(after)
        else:
            layer = args.layer or backbone_layers(network, batch[0])[-1]
            rows.setdefault(layer, []).append(receptive_field(network, batch, layer))
    short = {len(fields) for fields in rows.values()} != {len(subjects)}
    if short:
        raise UserError(
            f'the models do not all have {args.layer or "the same last map"}: name a --layer that all have, or make a '
            'picture of each'
        )
    draw_fields(subjects, rows, args.layer or next(iter(rows)), words, out)


if __name__ == '__main__':
    main()
