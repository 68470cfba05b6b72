"""Measures how much a trained model's gates vary: between images, channels and places, and under attacks."""

import sys

import _environment  # noqa: F401  # starts again in the environment of `make install` where no other has the package

from attn_plugins.cli.census import main

if __name__ == '__main__':
    sys.exit(main())
