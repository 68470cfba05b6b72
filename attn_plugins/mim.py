"""Makes `_base_ = 'attn_plugins::ssdlite/...py'` work in a user's own project, from the configs shipped in `.mim`.

mmengine inherits configs from packages that stand in a table of its own only, marks what it inherits with the
package's name as the scope to build it in, and, upstream's, looks in the wrong folder for a package that is installed
with `pip install -e`. So our paths are found here, and without a scope: our configs are those of mmdet, mmseg and
mmpretrain, built in the scope that each names itself (`default_scope`).
"""

from functools import wraps
from pathlib import Path

from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.utils import check_file_exist

NAME = 'attn_plugins'
# The configs as they are shipped; in a checkout `.mim` links to the repository's own.
CONFIGS = Path(__file__).parent / '.mim' / 'configs'


def register_configs() -> None:
    """Tells mmengine of this package's configs; a second call changes nothing."""
    if NAME in MODULE2PACKAGE:
        return
    MODULE2PACKAGE[NAME] = NAME
    path_and_scope = Config._get_cfg_path

    @wraps(path_and_scope)
    def with_our_configs(cfg_path: str, filename: str):
        package, _, name = cfg_path.partition('::')
        if package != NAME:
            return path_and_scope(cfg_path, filename)
        check_file_exist(str(CONFIGS / name))
        return str(CONFIGS / name), None

    Config._get_cfg_path = staticmethod(with_our_configs)
