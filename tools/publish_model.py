"""Prepares a trained checkpoint for publication: only weights, named by their hash, with config and counted cost."""

import sys

import _environment  # noqa: F401  # starts again in the environment of `make install` where no other has the package

from attn_plugins.cli.publish_model import main

if __name__ == '__main__':
    sys.exit(main())
