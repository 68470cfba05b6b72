"""mmengine's Runner with a screen that begins with the training: what fills pages stands in the log file."""

import logging

from mmengine.logging import MMLogger
from mmengine.runner import Runner

# How messages begin that are for the log file: the environment, the config, the hooks, tracebacks, what mmengine says
# of itself.
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
        """mmengine's, with a filter before the screen."""
        logger = super().build_logger(*args, **kwargs)
        for handler in logger.handlers:
            if not isinstance(handler, logging.FileHandler):
                handler.addFilter(lambda record: not record.getMessage().startswith(FOR_THE_FILE))
            else:
                logger.info(f'config and environment: {handler.baseFilename}')
        return logger
