"""Converts a checkpoint that a module's authors published into one of a config: mapped names, nothing missing,
nothing over.
"""

import sys

import _environment  # noqa: F401  # starts again in the environment of `make install` where no other has the package

from attn_plugins.cli.convert_official import main

if __name__ == '__main__':
    sys.exit(main())
