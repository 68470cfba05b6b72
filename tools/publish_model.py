"""Make a trained checkpoint fit to be given away: weights alone, named by their hash, with the config and the counted
cost.
"""

import sys

import _environment  # noqa: F401  # starts again in the environment of `make install` where no other has the package

from attn_plugins.cli.publish_model import main

if __name__ == '__main__':
    sys.exit(main())
