"""mmengine's Runner with less output on the screen: long messages go only into the log file."""

import logging

from mmengine.logging import MMLogger
from mmengine.runner import Runner

# Beginnings of messages that go only into the log file: the environment, the config, the hooks, tracebacks, mmengine's
# messages about itself.
FOR_THE_FILE = (
    '\n----',
    'Config:\n',
    'Traceback (most recent call last)',
    'Hooks will be executed in the following order',
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias',
)


class QuietRunner(Runner):
    """A Runner whose log on the screen leaves out the environment, the whole config and the order of hooks."""

    def build_logger(self, *args, **kwargs) -> MMLogger:
        """Builds mmengine's logger, with a filter for the screen."""
        logger = super().build_logger(*args, **kwargs)
        for handler in logger.handlers:
            if not isinstance(handler, logging.FileHandler):
                handler.addFilter(lambda record: not record.getMessage().startswith(FOR_THE_FILE))
            else:
                logger.info(f'config and environment: {handler.baseFilename}')
        return logger
