"""Draws pictures of what trained models look at; attn_plugins.visualization computes their content."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

from attn_plugins.cli.errors import friendly_errors
from attn_plugins.cli.visualize_arguments import parse_args
from attn_plugins.cli.visualize_models import load_subjects
from attn_plugins.errors import UserError

# FIRST is the default number of images.
FEW_PLACES = 3  # a smaller map has too few places to show where
FINER_PLACES = 4
FIRST = 3
# Number of noise inputs for a receptive field.
NOISE = 8


def main(argv: list[str] | None = None) -> None:
    """Writes the picture and prints its path."""
    args = parse_args(argv)
    out = args.out if args.out.suffix else args.out / f'{args.command}.png'
    with friendly_errors(args.debug):
        if out is not args.out:
            args.out.mkdir(parents=True, exist_ok=True)
        if out.suffix != '.png':
            raise UserError(f'{out} is no PNG file: let the name of --out end with .png')
        if not out.parent.is_dir():
            raise UserError(f'there is no folder {out.parent}: make it, or write elsewhere')
        with redirect_stdout(sys.stderr):  # messages of the libraries do not belong to the output
            subjects = load_subjects(args)
            COMMANDS[args.command](args, subjects, out)
        print(out)


def _images(args: argparse.Namespace, subjects: Sequence, number: int) -> list[Path]:
    from attn_plugins.visualization.picture import first_images

    if args.images:
        return [Path(path) for path in args.images]
    return first_images(subjects[0].cfg, subjects[0].library, args.first or number)


def _cam(args: argparse.Namespace, subjects: Sequence, out: Path) -> None:
    from attn_plugins.visualization.cam import check_method, compute_cam
    from attn_plugins.visualization.cam_figure import Row, draw_cams
    from attn_plugins.visualization.network import Network, finer_layer
    from attn_plugins.visualization.picture import read_picture
    from attn_plugins.visualization.target import choose_target, same_target

    method = check_method(args.method, subjects[0].library)
    boxes = args.box if subjects[0].library == 'mmdet' else [0]
    rows, coarse = [], {}
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
                if target is None:
                    cells.append(None)
                    continue
                cam = compute_cam(network, picture, target, method, args.layer, args.masks, args.mask_seed)
                cells.append((target, cam))
                if cam.layer and min(cam.size) < FEW_PLACES and cam.layer not in coarse:
                    coarse[cam.layer] = cam.size, finer_layer(network, picture.inputs, FINER_PLACES)
            rows.append(Row(pictures[0], cells))
    draw_cams(subjects, rows, method, args.masks, out)
    for layer, ((height, width), finer) in coarse.items():
        choice = f'--layer {finer} has a finer one' if finer else 'choose larger images or an earlier --layer'
        print(f'warning: the map of {layer} has {height} x {width} places, too few to show where: {choice}')


def _attention_maps(args: argparse.Namespace, subjects: Sequence, out: Path) -> None:
    from attn_plugins.visualization.attention_maps import attention_maps, layers_of_each
    from attn_plugins.visualization.attention_maps_figure import Row, draw_attention_maps
    from attn_plugins.visualization.network import Network
    from attn_plugins.visualization.picture import read_picture

    layers = layers_of_each(subjects, args.layers)
    rows = []
    for path in _images(args, subjects, FIRST):
        pictures = [read_picture(subject, path) for subject in subjects]
        found = [
            attention_maps(Network(subject, picture.samples), picture, names, args.map, args.p)
            for subject, picture, names in zip(subjects, pictures, layers, strict=True)
        ]
        rows += [Row(pictures[0], maps) for maps in zip(*found, strict=True)]
    draw_attention_maps(subjects, rows, len(layers[0]), args.map, args.p, out)


def _gates(args: argparse.Namespace, subjects: Sequence, out: Path) -> None:
    from attn_plugins.gates.watch import choose_layers
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

    from attn_plugins.cost.forward_pass import input_size, make_input
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


COMMANDS = {
    'cam': _cam,
    'attention-maps': _attention_maps,
    'gates': _gates,
    'receptive-field': _receptive_field,
}

if __name__ == '__main__':
    main()
