"""Makes `_base_ = 'attn_plugins::ssdlite/...py'` work in a user's own project, from the configs shipped in `.mim`."""

from pathlib import Path

from attn_plugins.compat import inherit_configs

NAME = 'attn_plugins'
# The configs as they are shipped; in a checkout `.mim` links to the repository's own.
CONFIGS = Path(__file__).parent / '.mim' / 'configs'


def register_configs() -> None:
    """Tells mmengine of this package's configs; a second call changes nothing."""
    inherit_configs(NAME, CONFIGS)
