"""Pictures of what trained models look at: class activation maps, gates of their layers, effective receptive fields."""

import sys

import _environment  # noqa: F401  # starts again in the environment of `make install` where no other has the package

from attn_plugins.cli.visualize import main

if __name__ == '__main__':
    sys.exit(main())
