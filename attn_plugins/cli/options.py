"""What several command lines take."""

from mmengine.config import DictAction


class ConfigOptions(DictAction):
    """argparse's action for `--cfg-options KEY=VALUE ...`, with a sentence for what is no such pair."""

    def __call__(self, parser, namespace, values, option_string=None):
        """Reads the pairs into a dict."""
        for value in values:
            if '=' not in value:
                parser.error(f'{option_string} takes KEY=VALUE, not {value!r}')
        super().__call__(parser, namespace, values, option_string)
