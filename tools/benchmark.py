"""Train and test a suite of configs with and without attention, over seeds, and compare what came of it."""

import sys

import _environment  # noqa: F401  # starts again in the environment of `make install` where no other has the package

from attn_plugins.cli.benchmark import main

if __name__ == '__main__':
    sys.exit(main())
