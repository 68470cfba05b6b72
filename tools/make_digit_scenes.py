"""Writes DigitScenes, the embedded data set: real handwritten digits in generated scenes, in four layouts."""

import sys

import _environment  # noqa: F401  # starts again in the environment of `make install` where no other has the package

from attn_plugins.cli.make_digit_scenes import main

if __name__ == '__main__':
    sys.exit(main())
