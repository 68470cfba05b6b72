"""Defines arguments that several command lines share: options of a config, the size of an image, numbers."""

import argparse
from pathlib import Path

from mmengine.config import DictAction


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments for the config, the size of its images, and the output format."""
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--shape',
        nargs='+',
        type=positive,
        action=ImageSize,
        metavar=('H', 'W'),
        help="height and width of the images, or one number for both, as in OpenMMLab's get_flops.py "
        "(default: those of the config's test images)",
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=ConfigOptions,
        metavar='KEY=VALUE',
        help='single values of the config: model.backbone.depth=18',
    )
    parser.add_argument('--json', action='store_true', help='print JSON: all numbers, none of them rounded')
    parser.add_argument('--debug', action='store_true', help='show the traceback of an error')


def add_trained_options(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments for a config, a checkpoint of it, and options for reading the config."""
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument(
        '--attention', metavar='PRESET', help='the preset that the checkpoint was trained with'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=ConfigOptions,
        metavar='KEY=VALUE',
        help='single values of the config: test_dataloader.batch_size=1',
    )
    parser.add_argument('--debug', action='store_true', help='show the traceback of an error')


def positive(text: str) -> int:
    """Parses a positive whole number (1, 2, ...) as an argparse type."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f'{text} is too small, the smallest is 1')
    return number


positive.__name__ = 'whole number'  # argparse says 'invalid whole number value'


def folder(text: str) -> Path:
    """Parses `--out FOLDER` as an argparse type; refuses a file's name, which would become the folder's name."""
    if Path(text).suffix in ('.json', '.md', '.png', '.svg', '.pdf', '.pth', '.py', '.html', '.csv'):
        raise argparse.ArgumentTypeError(f'{text} is the name of a file: give that of a folder')
    return Path(text)


class ImageSize(argparse.Action):
    """argparse's action for `--shape H W`; one number is a square."""

    def __call__(self, parser, namespace, values, option_string=None):
        """Reads one or two numbers into (height, width)."""
        if len(values) > 2:
            given = ' '.join(map(str, values))
            parser.error(
                f'{option_string} takes H W, or one number for both, not {given}: leave the channels out'
            )
        setattr(namespace, self.dest, (values[0], values[-1]))


class ConfigOptions(DictAction):
    """argparse's action for `--cfg-options KEY=VALUE ...`; explains in one sentence what is wrong with a pair."""

    def __call__(self, parser, namespace, values, option_string=None):
        """Reads the pairs into a dict."""
        for value in values:
            if '=' not in value:
                parser.error(f'{option_string} takes KEY=VALUE, not {value!r}')
        super().__call__(parser, namespace, values, option_string)
