"""The sentence for an exception that a user can put right, whoever raised it."""

import errno
import pickle
import re
import traceback
from collections.abc import Iterator
from pathlib import Path

import mmengine.registry
from mmengine.registry import Registry

from attn_plugins.errors import UserError
from attn_plugins.registry import nearest

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
# What torch's own file writer and reader say; they raise RuntimeError without an errno.
WRITE_FAILED = ('PytorchStreamWriter failed writing', 'file write failed', 'iostream error', 'unexpected pos')
CUT_SHORT = ('PytorchStreamReader failed', 'failed finding central directory', 'Ran out of input')
# The functions of the standard library that make a folder; where that fails, no file is missing.
MAKES_FOLDER = ('mkdir', 'makedirs', 'mkdtemp')


def explain(error: BaseException) -> str | None:
    """The sentence for an exception that a user can put right, or None if it is none of those."""
    for cause in _chain(error):
        if isinstance(cause, UserError):
            return str(cause)
    message = str(error.args[0]) if error.args else ''
    if isinstance(error, KeyError) and ' registry. Please check' in message:
        return _unknown_type(message)
    if isinstance(error, IndexError) and 'Target -1 is out of bounds' in message:
        return (
            'images without a label of attn_plugins.MixedDataset have come into the loss: give the model the type '
            'attn_plugins.MixedDataClassifier, or the dataset foreign_loss=True'
        )
    if isinstance(error, TypeError) and '__init__() got an unexpected keyword argument' in message:
        return f'the config has an option that does not exist: {message}'
    if isinstance(error, OSError) and (error.filename or isinstance(error, FileNotFoundError)):
        return _unusable_file(error)
    if isinstance(error, pickle.UnpicklingError) or any(sign in message for sign in CUT_SHORT):
        return (
            'the checkpoint that load_from or an init_cfg names is cut short or no checkpoint: get or train it '
            'again, or name another'
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


def _unusable_file(error: OSError) -> str:
    """A sentence for a file or folder that is not there, or cannot be read or written."""
    name = error.filename
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        return f'{name} cannot be used, there is a file where a folder is needed: choose another place'
    if isinstance(error, IsADirectoryError):
        return f'{name} is a folder: give the path of a file'
    last = traceback.extract_tb(error.__traceback__)[-1:]
    if last and last[0].name in MAKES_FOLDER:
        return f'nothing can be written into {Path(name).parent} ({error.strerror}): choose another place'
    if isinstance(error, FileNotFoundError):
        absent = f'there is no file {name}' if name else str(error).rstrip('.')
        return f'{absent}: put its path right'
    return f'{name} cannot be used ({error.strerror}): choose a place that can be read and written'


def _unknown_type(message: str) -> str:
    """mmengine's 'X is not in the scope::name registry' with the nearest names that are."""
    name, scope, kind = re.match(
        r'(.*?) is not in the (?:(\w+)::)?(.+?) registry', message, re.DOTALL
    ).groups()
    # The libraries write some of the names with a space for mmengine's underscore.
    kind = kind.replace('_', ' ')
    roots = [
        registry
        for registry in vars(mmengine.registry).values()
        if isinstance(registry, Registry) and registry.name.replace('_', ' ') == kind
    ]
    if not roots:
        return message.split('. ')[0]
    prefix = name.partition('.')[0]
    child = roots[0].children.get(prefix) or roots[0].children.get(scope, roots[0])
    child.import_from_location()
    choices = {*roots[0].module_dict, *child.module_dict}
    if prefix in roots[0].children:
        choices = {f'{prefix}.{key}' for key in choices}
    return f'the config names an unknown {kind} {name!r}: {nearest(name, choices)}'
