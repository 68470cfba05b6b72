"""Makes `_base_ = 'attn_plugins::ssdlite/...py'` work in a user's own project, from the configs shipped in `.mim`.

It also makes the three libraries' own configs (`mmseg::fcn/...py`) work on the maintained family, whose mmengine still
looks for packages under the upstream names, and says that mmsegmentation is not installed.

This is the only file that uses private names of mmengine. Seen in mmengine 0.10.7 and onedl-mmengine 0.10.12.
"""

from functools import wraps
from importlib.util import find_spec
from pathlib import Path

from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.utils import check_file_exist

from attn_plugins.registry import LIBRARIES

NAME = 'attn_plugins'
# The shipped configs; in a checkout `.mim` links to the repository's own.
CONFIGS = Path(__file__).parent / '.mim' / 'configs'
# A config that suites vary has '{{$ATTENTION:none}}' in the path of its preset.
VARIABLE = 'ATTENTION'


def register_configs() -> None:
    """Registers this package's configs with mmengine; a second call changes nothing.

    mmengine inherits configs only from packages in a table of its own, and marks inherited configs with the package's
    name as the scope to build them in. Upstream's also looks in the wrong folder for a package that is installed with
    `pip install -e`. So the paths are found here, and without a scope: the configs are those of mmdet, mmseg and
    mmpretrain, built in the scope that each names itself (`default_scope`).
    """
    if NAME in MODULE2PACKAGE:
        return
    MODULE2PACKAGE[NAME] = NAME
    path_and_scope = Config._get_cfg_path

    @wraps(path_and_scope)
    def with_ours(cfg_path: str, filename: str) -> tuple[str, str | None]:
        path = shipped(cfg_path)
        if path is None:
            return path_and_scope(cfg_path, filename)
        package = cfg_path.partition('::')[0]
        check_file_exist(str(path))
        return str(path), None if package == NAME else package

    Config._get_cfg_path = staticmethod(with_ours)


def shipped(name: str) -> Path | None:
    """Returns the file of a config that is named `PACKAGE::CONFIG`.

    A file of this package is returned even if it is missing, a file of the three libraries only if it exists.
    """
    package, _, config = name.partition('::')
    if package == NAME and config:
        return CONFIGS / config
    spec = find_spec(package) if package in LIBRARIES and config else None
    paths = [
        Path(folder, '.mim', 'configs', config)
        for folder in ((spec and spec.submodule_search_locations) or ())
    ]
    return next((path for path in paths if path.is_file()), None)
