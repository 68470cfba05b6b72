"""Converts the checkpoint of a module's authors into one of a config; no weight may be missing or left over."""

import sys

import _environment  # noqa: F401  # starts again in the environment of `make install` where no other has the package

from attn_plugins.cli.convert_official import main

if __name__ == '__main__':
    sys.exit(main())
