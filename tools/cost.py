"""Counts and measures a config's model: parameters, multiply-adds, latency, peak memory; needs no data set."""

import sys

import _environment  # noqa: F401  # starts again in the environment of `make install` where no other has the package

from attn_plugins.cli.cost import main

if __name__ == '__main__':
    sys.exit(main())
