"""Catches what is said in mmengine's log, whatever stream its handlers were bound to."""

import logging

import pytest
from mmengine.logging import MMLogger


@pytest.fixture
def log_lines():
    """The messages logged so far, as a growing list."""
    lines = []

    class Collect(logging.Handler):
        def emit(self, record):
            lines.append(record.getMessage())

    logger, handler = MMLogger.get_current_instance(), Collect()
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)
