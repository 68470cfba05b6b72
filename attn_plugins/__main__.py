"""Runs the command `attn-plugins` as `python -m attn_plugins COMMAND ...`."""

import sys

from attn_plugins.cli.main import main

sys.exit(main())
