"""`python -m attn_plugins COMMAND ...` is the command `attn-plugins`."""

import sys

from attn_plugins.cli.main import main

sys.exit(main())
