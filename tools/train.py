"""Trains a config of mmdet, mmseg or mmpretrain; the same command resumes an interrupted training."""

import sys

import _environment  # noqa: F401  # starts again in the environment of `make install` where no other has the package

from attn_plugins.cli.train import main

if __name__ == '__main__':
    sys.exit(main())
