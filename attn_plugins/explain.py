"""Explains exceptions that a user can put right in one sentence, whoever raised them."""

import errno
import pickle
import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import mmengine.registry
from mmengine.registry import Registry

from attn_plugins.errors import UserError
from attn_plugins.registry import nearest

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
# Messages of torch's own file writer and reader; they raise RuntimeError without an errno.
WRITE_FAILED = ('PytorchStreamWriter failed writing', 'file write failed', 'iostream error', 'unexpected pos')
CUT_SHORT = ('PytorchStreamReader failed', 'failed finding central directory', 'Ran out of input')
# Packages for data sets, suites, reports and pictures, which a model with layers does not need: the extra `benchmark`.
OPTIONAL = (
    'filelock', 'jinja2', 'matplotlib', 'psutil', 'pycocotools',
    'pytorch_grad_cam', 'rich', 'scipy', 'setproctitle', 'sklearn',
    'yaml',
)  # fmt: skip
# The functions of the standard library that create a folder; if one fails, no file is missing.
MAKES_FOLDER = ('mkdir', 'makedirs', 'mkdtemp')


def explain(error: BaseException) -> str | None:
    """Returns the sentence for an exception that a user can put right, or None for any other."""
    for cause in _chain(error):
        if isinstance(cause, UserError):
            return str(cause)
    message = str(error.args[0]) if error.args else ''
    if isinstance(error, KeyError) and ' registry. Please check' in message:
        return _unknown_type(message)
    if match := re.search(r'Target (\d+) is out of bounds', message):
        return (
            f'a label or a pixel of a mask has the class number {match[1]}, and the head has fewer classes: '
            '`python tools/check_data.py CONFIG --read-files` names the files'
        )
    if isinstance(error, IndexError) and 'Target -1 is out of bounds' in message:
        return (
            'images without a label of attn_plugins.MixedDataset have come into the loss: give the model the type '
            'attn_plugins.MixedDataClassifier, or the dataset foreign_loss=True'
        )
    if isinstance(error, TypeError) and '__init__() got an unexpected keyword argument' in message:
        return f'the config has an option that does not exist: {message}'
    if isinstance(error, ModuleNotFoundError) and str(error.name).partition('.')[0] in OPTIONAL:
        return (
            f'this takes {error.name}, which is not installed: run `pip install "attn_plugins[benchmark]"`, in '
            'a checkout '
            "`pip install '.[benchmark]'`"
        )
    if isinstance(error, RuntimeError) and 'out of memory' in message:
        return f'{" ".join(message.split())[:120]} ...: set a smaller batch_size of the dataloader, or train with --amp'
    if isinstance(error, URLError):
        return _unreachable(error)
    last = traceback.extract_tb(error.__traceback__)[-1:]
    if (
        last
        and last[0].filename.endswith('mmengine/runner/runner.py')
        and isinstance(error, (ValueError, TypeError))
    ):
        return f'the config does not make a run ({" ".join(message.split())}): --debug shows where'
    if isinstance(error, ValueError) and last and '/torch/utils/data/' in last[0].filename:
        return (
            f'a dataloader cannot be made from its config ({" ".join(message.split())}): put its values right'
        )
    if (
        sentence := _failed_score(error)
        or _failed_build(error)
        or _failed_sample(error)
        or _failed_layer(error)
    ):
        return sentence
    if isinstance(error, OSError) and (error.filename or isinstance(error, FileNotFoundError)):
        return _unusable_file(error)
    if isinstance(error, pickle.UnpicklingError) or any(sign in message for sign in CUT_SHORT):
        return (
            'the checkpoint that load_from or an init_cfg names is cut short or no checkpoint: get or train it '
            'again, or name another'
        )
    return None


def explain_batch(error: BaseException) -> str | None:
    """Returns the sentence for a model's exception on a batch: the module that could not take its input."""
    for names in _frames(error):
        module = names.get('self')
        if any(base.__module__ == 'torch.nn.modules.module' for base in type(module).__mro__):
            return (
                f'a batch does not pass {type(module).__name__} ({said_by(error)}): what comes before it, its '
                'options or the data do not fit; --debug, and the log file, show where'
            )
    return None


def is_disk_full(error: BaseException) -> bool:
    """Tells whether an exception comes from a full disk or an exhausted quota."""
    for cause in _chain(error):
        if isinstance(cause, OSError) and cause.errno in DISK_FULL:
            return True
        if isinstance(cause, RuntimeError) and any(sign in str(cause) for sign in WRITE_FAILED):
            return True
    return False


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yields the exception and all exceptions that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _frames(error: BaseException) -> Iterator[dict]:
    """Yields the local names of every function that an exception came through, the innermost first."""
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        yield frame.f_locals


def said_by(error: BaseException) -> str:
    """Formats the type and message of an exception in one line."""
    words = ' '.join(str(error if isinstance(error, OSError) or not error.args else error.args[0]).split())
    return f'{type(error).__name__}: {words}' if words else type(error).__name__


def _unreachable(error: URLError) -> str:
    """Returns a sentence for weights or data that would be downloaded, on a machine without a network."""
    url = next((names['url'] for names in _frames(error) if isinstance(names.get('url'), str)), 'a file')
    return (
        f'{url} cannot be downloaded ({error.reason}): get it elsewhere and name the file, as '
        'init_cfg.checkpoint or load_from'
    )


def _failed_build(error: BaseException) -> str | None:
    """Returns a sentence for a part of the config that its class refuses: mmengine builds all by one function."""
    names = next(
        (names for names in _frames(error) if {'obj_cls', 'obj_type', 'registry'} <= names.keys()), None
    )
    if names is None or not callable(names['obj_cls']):
        return None
    kind = getattr(names['registry'], 'name', 'part')
    return (
        f'the {kind} {names["obj_cls"].__name__} cannot be built from its config ({said_by(error)}): put its '
        'options right, --debug shows where'
    )


def _failed_score(error: BaseException) -> str | None:
    """Returns a sentence for a metric that cannot score the model's output, or a hook that needs a missing metric."""
    for names in _frames(error):
        part = names.get('self')
        kinds = [base.__name__ for base in type(part).__mro__ if base.__module__.startswith('mmengine.')]
        if 'BaseMetric' in kinds:
            return (
                f'{type(part).__name__} cannot score what the model gives ({said_by(error)}): put its options, '
                'as metric, right; --debug shows where'
            )
        if 'CheckpointHook' in kinds and isinstance(error, KeyError):
            return (
                f'default_hooks.checkpoint.save_best names {error}, and no metric is called so: '
                'choose one of the log'
            )
    return None


def _failed_sample(error: BaseException) -> str | None:
    """Returns a sentence for a sample that a data loader could not load, here or in a worker."""
    message = str(error.args[0]) if error.args else ''
    advice = '`python tools/check_data.py CONFIG --read-files` names every such file'
    if 'DataLoader worker process' in message:
        return f'a sample cannot be loaded ({message.strip().splitlines()[-1]}): {advice}'
    frames = list(_frames(error))
    sample = next((names['results'] for names in frames if isinstance(names.get('results'), dict)), None)
    if sample is None or not any(
        callable(getattr(names.get('self'), 'get_data_info', None)) for names in frames
    ):
        return None
    file = sample.get('img_path') or 'a sample'
    return f'{file} cannot be loaded ({said_by(error)}): {advice}'


def _failed_layer(error: BaseException) -> str | None:
    """Returns the sentence of a layer's own ValueError, which already says what to do."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    own = last and Path(last[0].filename).is_relative_to(Path(__file__).parent / 'layers')
    return str(error) if own and isinstance(error, ValueError) else None


def _unusable_file(error: OSError) -> str:
    """Returns a sentence for a file or folder that is missing, or cannot be read or written."""
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
    """Returns mmengine's 'X is not in the scope::name registry' with the nearest existing names."""
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
    for other, registry in roots[0].children.items():
        registry.import_from_location()
        if name in registry.module_dict:
            return f'the config names an unknown {kind} {name!r}: did you mean {other}.{name}?'
    prefix = name.partition('.')[0]
    child = roots[0].children.get(prefix) or roots[0].children.get(scope, roots[0])
    child.import_from_location()
    choices = {*roots[0].module_dict, *child.module_dict}
    if prefix in roots[0].children:
        choices = {f'{prefix}.{key}' for key in choices}
    return f'the config names an unknown {kind} {name!r}: {nearest(name, choices)}'
