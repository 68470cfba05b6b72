"""Makes `_base_ = 'attn_plugins::ssdlite/...py'` work in a user's own project, from the configs shipped in `.mim`.

mmengine inherits configs from packages that stand in a table of its own only, and marks what it inherits with the
package's name as the scope to build it in. The one is completed here. The other is taken back: our configs are those of
mmdet, mmseg and mmpretrain, built in the scope that each names itself (`default_scope`).
"""

from functools import wraps

from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE

NAME = 'attn_plugins'


def register_configs() -> None:
    """Tells mmengine of this package's configs; a second call changes nothing."""
    if NAME in MODULE2PACKAGE:
        return
    MODULE2PACKAGE[NAME] = NAME
    path_and_scope = Config._get_cfg_path

    @wraps(path_and_scope)
    def without_our_scope(cfg_path: str, filename: str):
        path, scope = path_and_scope(cfg_path, filename)
        return path, None if scope == NAME else scope

    Config._get_cfg_path = staticmethod(without_our_scope)
