"""Prints a config's model as a tree with every inserted layer, its channels, parameters and multiply-adds."""

import sys

import _environment  # noqa: F401  # starts again in the environment of `make install` where no other has the package

from attn_plugins.cli.inspect_model import main

if __name__ == '__main__':
    sys.exit(main())
