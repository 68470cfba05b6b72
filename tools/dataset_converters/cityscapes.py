"""Convert Cityscapes' polygons to masks of the 19 classes."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))
import _environment  # noqa: F401  # starts again in the environment of `make install` where no other has the package

from attn_plugins.cli.convert_cityscapes import main

if __name__ == '__main__':
    sys.exit(main())
