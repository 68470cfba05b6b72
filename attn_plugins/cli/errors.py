"""Reports bad input in one sentence with an exit code and no traceback: `friendly_errors` wraps every tool's main."""

import logging
import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from attn_plugins.explain import explain, is_disk_full

# The exit code of a program that the signal SIGPIPE ends, 128 + 13: Python ignores the signal.
READER_GONE = 141
# That of a program that SIGTERM ends.
TERMINATED = 143


@contextmanager
def friendly_errors(debug: bool = False, advice: Callable[[], str] | None = None) -> Iterator[None]:
    """Turns errors that a user can put right into one line on stderr and an exit code.

    Any other exception is a defect of the program and keeps its traceback.

    Args:
        debug (bool): Lets every exception through, with its traceback.
        advice (Callable[[], str], optional): What to do after a full disk, Ctrl-C or SIGTERM, asked for when it
            happens: 'run the same command again: it resumes from epoch 3'.

    Raises:
        SystemExit: 1 after an error, 130 after Ctrl-C, 143 where a tool ends itself so at SIGTERM, 141 when what
            reads the output (`| head`) has seen enough.
    """
    _make_writable()
    if debug:
        yield
        return
    # On a full disk every log line would print a traceback of the logging module.
    logging.raiseExceptions, before = False, logging.raiseExceptions
    try:
        yield
        sys.stdout.flush()
    except KeyboardInterrupt:
        _leave('interrupted', advice() if advice else '', 130)
    except SystemExit as error:
        if error.code == TERMINATED and advice:
            _leave('terminated', advice(), TERMINATED)
        raise
    except Exception as error:
        if isinstance(error.__context__, KeyboardInterrupt):  # a library took Ctrl-C for an error of its own
            _leave('interrupted', advice() if advice else '', 130)
        if isinstance(error, BrokenPipeError) and _reader_is_gone():
            raise SystemExit(READER_GONE) from None
        if is_disk_full(error):
            _leave('error: the disk is full: free space', advice() if advice else '', 1, joint=' and ')
        sentence = explain(error)
        if sentence is None:
            raise
        _leave(f'error: {sentence}', '', 1)
    finally:
        logging.raiseExceptions = before


def _make_writable() -> None:
    """Lets every text be printed: to a closed stdout or stderr, and in encodings that lack some of its letters."""
    sys.stdout = sys.stdout or Path(os.devnull).open('w')  # noqa: SIM115  for as long as the program lives
    sys.stderr = sys.stderr or Path(os.devnull).open('w')  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, 'reconfigure'):
            stream.reconfigure(errors='replace')


def _leave(sentence: str, advice: str, code: int, joint: str = ': ') -> None:
    line = ' '.join((sentence + (joint + advice if advice else '')).split())
    print(line, file=sys.stderr, flush=True)
    raise SystemExit(code) from None


def _reader_is_gone() -> bool:
    """Tells whether nobody reads stdout any more; if so, discards remaining output, so that Python exits silently."""
    # Another flush may not reveal it: a failed write may have dropped the rest of the output.
    pipe = select.poll()
    pipe.register(sys.stdout.fileno(), select.POLLOUT)
    if not any(event & select.POLLERR for _, event in pipe.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True
