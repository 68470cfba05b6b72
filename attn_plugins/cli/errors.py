"""Bad input gets one sentence and an exit code, no traceback: `friendly_errors` stands around every tool's main."""

import errno
import logging
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import mmengine.registry
from mmengine.registry import Registry

from attn_plugins.errors import UserError
from attn_plugins.registry import nearest

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
# What torch's own file writer and reader say; they raise RuntimeError without an errno.
WRITE_FAILED = ('PytorchStreamWriter failed writing', 'file write failed', 'iostream error', 'unexpected pos')
CUT_SHORT = ('PytorchStreamReader failed', 'failed finding central directory', 'Ran out of input')


@contextmanager
def friendly_errors(debug: bool = False, advice: Callable[[], str] | None = None) -> Iterator[None]:
    """Turns what a user can put right into one line on stderr and an exit code.

    An exception that is none of those is a defect of the program and keeps its traceback.

    Args:
        debug (bool): Lets every exception through, with its traceback.
        advice (Callable[[], str], optional): What to do after a full disk or Ctrl-C, asked for when it happens:
            'run the same command again: it resumes from epoch 3'.

    Raises:
        SystemExit: 1 after an error, 130 after Ctrl-C.
    """
    if debug:
        yield
        return
    # On a full disk every log line would print a traceback of the logging module.
    logging.raiseExceptions, before = False, logging.raiseExceptions
    try:
        yield
    except KeyboardInterrupt:
        _leave('interrupted', advice() if advice else '', 130)
    except Exception as error:
        if is_disk_full(error):
            _leave('error: the disk is full: free space', advice() if advice else '', 1, joint=' and ')
        sentence = explain(error)
        if sentence is None:
            raise
        _leave(f'error: {sentence}', '', 1)
    finally:
        logging.raiseExceptions = before


def explain(error: BaseException) -> str | None:
    """The sentence for an exception that a user can put right, or None if it is none of those."""
    for cause in _chain(error):
        if isinstance(cause, UserError):
            return str(cause)
    message = str(error.args[0]) if error.args else ''
    if isinstance(error, KeyError) and ' registry. Please check' in message:
        return _unknown_type(message)
    if isinstance(error, TypeError) and '__init__() got an unexpected keyword argument' in message:
        return f'the config has an option that does not exist: {message}'
    if isinstance(error, FileNotFoundError):
        return f'there is no file {error.filename}' if error.filename else str(error)
    if isinstance(error, OSError) and error.filename:
        return f'{error.filename}: {error.strerror}'
    if any(sign in message for sign in CUT_SHORT):
        return (
            f'a checkpoint cannot be read, it is cut short: get or train it again ({message.split(".")[0]})'
        )
    return None


def is_disk_full(error: BaseException) -> bool:
    """Whether an exception comes from a disk, or a quota, without space."""
    for cause in _chain(error):
        if isinstance(cause, OSError) and cause.errno in DISK_FULL:
            return True
        if isinstance(cause, RuntimeError) and any(sign in str(cause) for sign in WRITE_FAILED):
            return True
    return False


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The exception and all that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _leave(sentence: str, advice: str, code: int, joint: str = ': ') -> None:
    line = ' '.join((sentence + (joint + advice if advice else '')).split())
    print(line, file=sys.stderr, flush=True)
    raise SystemExit(code) from None


def _unknown_type(message: str) -> str:
    """mmengine's 'X is not in the scope::name registry' with the nearest names that are."""
    name, scope, kind = re.match(r'(\S+) is not in the (?:(\w+)::)?(.+?) registry', message).groups()
    roots = [r for r in vars(mmengine.registry).values() if isinstance(r, Registry) and r.name == kind]
    if not roots:
        return message.split('. ')[0]
    prefix = name.partition('.')[0]
    if prefix in roots[0].children:
        registry = roots[0].children[prefix]
        registry.import_from_location()
        choices = [f'{prefix}.{key}' for key in registry.module_dict]
    else:
        choices = {*roots[0].module_dict, *roots[0].children.get(scope, roots[0]).module_dict}
    return f'the config names an unknown {kind} {name!r}: {nearest(name, choices)}'
