"""Merges nearly constant gates into the norm or convolution next to them, and reports the effect on the model."""

import sys

import _environment  # noqa: F401  # starts again in the environment of `make install` where no other has the package

from attn_plugins.cli.fold import main

if __name__ == '__main__':
    sys.exit(main())
