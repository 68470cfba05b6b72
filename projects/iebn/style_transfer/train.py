"""Trains the feed-forward style transfer network with BN, IN, BN + SE and IEBN, and shows the four side by side."""

import argparse
import sys
from pathlib import Path

from attn_plugins.cli.arguments import positive
from attn_plugins.cli.errors import friendly_errors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog='python -m projects.iebn.style_transfer.train',
        description=__doc__,
        epilog='Run again after a stop, it keeps what is finished.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    loss_network = parser.add_mutually_exclusive_group(required=True)
    loss_network.add_argument(
        '--vgg', metavar='FILE', help="torchvision's VGG16 weights, which are never downloaded"
    )
    loss_network.add_argument(
        '--random-vgg', action='store_true', help='a VGG16 that was never trained; everything says so'
    )
    parser.add_argument(
        '--images',
        default='embedded',
        help="folder of images to train on, or 'embedded': the two photographs of scikit-learn",
    )
    parser.add_argument('--style', default='mosaic', help='style image, or a generated one: mosaic, waves')
    parser.add_argument('--picture', metavar='FILE', help='what is stylised in the end, else the first image')
    parser.add_argument(
        '--norms', nargs='+', default=['bn', 'in', 'bn_se', 'iebn'], help='of bn, in, bn_se, iebn'
    )
    parser.add_argument(
        '--seeds', nargs='+', type=_natural, default=[0, 1, 2], help='one training each per norm'
    )
    parser.add_argument('--steps', type=positive, default=40000, help='of a training')
    parser.add_argument('--batch-size', type=positive, default=4, help='crops of a step')
    parser.add_argument('--size', type=_side, default=256, help='pixels of a side of the crops')
    parser.add_argument('--style-size', type=_side, default=256, help="of the style image's shorter side")
    parser.add_argument('--picture-size', type=_side, default=256, help="of the picture's shorter side")
    parser.add_argument('--width', type=positive, default=32, help='channels of the first convolution')
    parser.add_argument('--reduction', type=positive, default=16, help='of SE, at most the width')
    parser.add_argument('--content-layer', choices=['relu2_2', 'relu3_3'], default='relu3_3', help='of VGG16')
    parser.add_argument('--content-weight', type=float, default=1.0, help='of the content loss')
    parser.add_argument('--style-weight', type=float, default=5.0, help='of the style loss')
    parser.add_argument('--tv-weight', type=float, default=1.0, help='of the total variation')
    parser.add_argument('--learning-rate', type=float, default=1e-3, help="Adam's")
    parser.add_argument('--every', type=positive, default=50, help='steps from one written down to the next')
    parser.add_argument('--device', choices=['cpu', 'cuda'], help='cuda where there is one if not given')
    parser.add_argument('--workers', type=_natural, default=0, help='processes that read images')
    parser.add_argument('--out', type=Path, default=Path('work_dirs', 'style_transfer'), help='folder')
    parser.add_argument('--debug', action='store_true', help='show the traceback of an error')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    args = parse_args(argv)
    with friendly_errors(args.debug, lambda: 'run the same command again, what is finished is kept'):
        import torch
        from rich.console import Console

        from attn_plugins.errors import UserError
        from projects.iebn.style_transfer import figures, study
        from projects.iebn.style_transfer.features import load_features, random_features

        if args.device == 'cuda' and not torch.cuda.is_available():
            raise UserError('there is no GPU in sight: leave --device out')
        console = Console(soft_wrap=True, highlight=False)
        features = random_features() if args.random_vgg else load_features(args.vgg)
        console.print(f'loss network: {features.label}')
        settings = study.Settings(**{key: getattr(args, key) for key in study.Settings.__dataclass_fields__})
        device = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
        result = study.run_study(
            settings, features, args.norms, args.seeds, args.out, device, args.workers, console
        )
        for path in figures.write_figures(args.out, result):
            console.print(path)
    return 0


def _natural(text: str) -> int:
    """argparse's type for a whole number from 0 up."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f'{text} is too small, the smallest is 0')
    return number


_natural.__name__ = 'whole number'  # argparse says 'invalid whole number value'


def _side(text: str) -> int:
    """argparse's type for the side of an image: VGG16 halves it three times, and reflection needs two pixels."""
    number = int(text)
    if number < 16:
        raise argparse.ArgumentTypeError(f'{text} is too small, the smallest is 16')
    return number


_side.__name__ = 'number of pixels'  # argparse says 'invalid number of pixels value'


if __name__ == '__main__':
    sys.exit(main())
