"""Trains translation with the study's four factors switched on and off in each kind of attention, and compares by
BLEU.
"""

import argparse
import sys
from pathlib import Path

from attn_plugins.cli.errors import friendly_errors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog='python -m projects.empirical_attention.translation.train',
        description=__doc__,
        epilog='A setting is four bits, which of E1 (query and key content), E2 (query content and relative position), '
        'E3 (key content) and E4 (relative position) are there. Run again after a stop, it keeps what is finished.',
    )
    parser.add_argument(
        'config', help='YAML file: of projects/empirical_attention/translation/configs, or your own'
    )
    parser.add_argument('--encoder', metavar='BITS', help="setting of the encoder's self-attention")
    parser.add_argument('--decoder', metavar='BITS', help="setting of the decoder's self-attention")
    parser.add_argument('--encoder-decoder', metavar='BITS', help='setting of the encoder-decoder attention')
    parser.add_argument(
        '--seeds', nargs='+', type=_natural, default=[0, 1, 2], help='one training each (default: 0 1 2)'
    )
    parser.add_argument('--device', choices=['cpu', 'cuda'], help='cuda where there is one if not given')
    parser.add_argument(
        '--out', type=Path, help='folder for results (default: work_dirs/translation/NAME_OF_THE_CONFIG)'
    )
    parser.add_argument('--debug', action='store_true', help='show the traceback of an error')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    args = parse_args(argv)
    with friendly_errors(args.debug, lambda: 'run the same command again, what is finished is kept'):
        import torch
        from rich.console import Console

        from attn_plugins.errors import UserError
        from projects.empirical_attention.translation.network import FULL, read_places
        from projects.empirical_attention.translation.settings import read_settings

        try:
            import sacrebleu  # noqa: F401
        except ImportError as error:
            raise UserError(
                'sacrebleu is not installed: pip install -r projects/empirical_attention/translation/requirements.txt'
            ) from error
        from projects.empirical_attention.translation import study
        from projects.empirical_attention.translation.table import table

        if args.device == 'cuda' and not torch.cuda.is_available():
            raise UserError('there is no GPU in sight: leave --device out')
        settings = read_settings(args.config)
        chosen = [args.encoder, args.decoder, args.encoder_decoder]
        lines = settings.attention
        if any(bits is not None for bits in chosen):
            lines = [' '.join(FULL[i] if bits is None else bits for i, bits in enumerate(chosen))]
        all_places = [read_places(line) for line in lines]
        out = args.out or Path('work_dirs', 'translation', Path(args.config).stem)
        device = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
        console = Console(soft_wrap=True, highlight=False)
        result = study.run_study(settings, all_places, args.seeds, out, device, console)
        (out / 'table.md').write_text(table(result) + '\n')
        console.print(out / study.RESULTS, out / 'table.md', sep='\n')
    return 0


def _natural(text: str) -> int:
    """argparse's type for a whole number from 0 up."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f'{text} is too small, the smallest is 0')
    return number


_natural.__name__ = 'whole number'  # argparse says 'invalid whole number value'


if __name__ == '__main__':
    sys.exit(main())
