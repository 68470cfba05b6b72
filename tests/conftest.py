"""Ctrl-C works in the processes that tests start, also where the test run itself is in the background of a shell."""

import signal

# A shell without job control starts background jobs with SIGINT ignored, and what they start inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)
