"""Checks the data of configs and of public data sets: says which are missing or misplaced, and how to get them."""

import sys

import _environment  # noqa: F401  # starts again in the environment of `make install` where no other has the package

from attn_plugins.cli.check_data import main

if __name__ == '__main__':
    sys.exit(main())
