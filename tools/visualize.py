"""Draws pictures of what trained models look at; attn_plugins.visualization computes their content."""

import sys

import _environment  # noqa: F401  # starts again in the environment of `make install` where no other has the package

from attn_plugins.cli.visualize import main

if __name__ == '__main__':
    sys.exit(main())
