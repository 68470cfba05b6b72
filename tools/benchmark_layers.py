"""Count and measure the layers beside the authors' formulas, timm's and OpenMMLab's modules, once they are shown to
be equal.
"""

import sys

import _environment  # noqa: F401  # starts again in the environment of `make install` where no other has the package

from benchmarks.layers.cli import main

if __name__ == '__main__':
    sys.exit(main())
