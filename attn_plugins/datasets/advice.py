"""Advises on data that a class does not find: in another folder, not unpacked, not converted, or missing."""

import difflib
import os
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from attn_plugins.datasets.sources import DIGIT_SCENES, digit_scenes_home, how_to_get, type_name

DEPTH = 3  # levels of folders that are searched
MOST_FOLDERS = 50  # a folder with more subfolders holds classes or towns, not data sets
SHOWN = 5  # names listed in a sentence
CAFFE_LISTS = 'https://download.openmmlab.com/mmclassification/datasets/imagenet/meta/caffe_ilsvrc12.tar.gz'


def advice_on(config: dict, missing: Path | None) -> str:
    """Returns the end of the sentence: what to do about a dataset that is incomplete or cannot be loaded.

    Args:
        config (dict): The dataset's config.
        missing (Path, optional): The first file or folder that does not exist, if that is what is wrong.
    """
    return (
        _stands_elsewhere(config, missing)
        or _not_converted(config, missing)
        or _class_folders(config)
        or how_to_get(config, mmseg_converters())
        or (_nearest(config, missing) if missing else 'put it right, --debug shows where')
    )


def holds(missing: Path) -> str:
    """Lists in brackets what exists in the folder of something missing: folders by name, files by suffix."""
    folder = next(parent for parent in missing.absolute().parents if parent.is_dir())
    folder = folder if missing.is_absolute() else Path(os.path.relpath(folder))
    entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    folders = [f'{entry.name}/' for entry in entries if entry.is_dir()]
    files = Counter(Path(entry.name).suffix for entry in entries if not entry.is_dir())
    named = [*folders[:SHOWN], *([f'{len(folders) - SHOWN} more folders'] if len(folders) > SHOWN else [])]
    named += [f'{number} *{suffix or " without suffix"}' for suffix, number in files.most_common(3)]
    return f' ({folder} holds {", ".join(named) or "nothing"})'


def _nearest(config: dict, missing: Path) -> str:
    """Returns the end of the sentence on a user's own data: the nearest existing name, and the config keys to set."""
    keys = [key for key in ('data_root', 'ann_file', 'data_prefix') if config.get(key)]
    said = (
        f'set {" and ".join(keys) or "data_root"} of {type_name(config)} to where its files are, '
        'relative to this folder'
    )
    folder = next(parent for parent in missing.absolute().parents if parent.is_dir())
    name = missing.absolute().relative_to(folder).parts[0]
    close = difflib.get_close_matches(name, [entry.name for entry in os.scandir(folder)], n=1)
    return f'did you mean {folder / close[0]}? {said}' if close else said


def _not_converted(config: dict, missing: Path | None) -> str | None:
    """Returns mmseg's command that makes the masks of Cityscapes if the polygons that they are drawn from exist."""
    if missing is None or not missing.name.endswith('_labelTrainIds.png'):
        return None
    stem = missing.name.removesuffix('labelTrainIds.png')
    if not (
        missing.with_name(f'{stem}polygons.json').exists()
        or missing.with_name(f'{stem}labelIds.png').exists()
    ):
        return None
    root = config.get('data_root') or '.'
    return (
        'the polygons that it is drawn from are there, so run `pip install cityscapesscripts && python '
        f'{mmseg_converters()}/cityscapes.py {root} --nproc 8`'
    )


def mmseg_converters() -> str:
    """Returns the folder of the converters that mmseg ships."""
    spec = find_spec('mmseg')
    home = Path(spec.submodule_search_locations[0]) if spec else Path('mmseg')
    path = home / '.mim' / 'tools' / 'dataset_converters'
    return min(os.path.relpath(path), str(path), key=len)


def _class_folders(config: dict) -> str | None:
    """Advises on ImageNet's images that are still in tar files, or not in one folder per class."""
    prefix = config.get('data_prefix') or config.get('split') or ''
    folder = Path(
        config.get('data_root') or '', prefix if isinstance(prefix, str) else prefix.get('img_path', '')
    )
    if type_name(config) != 'ImageNet' or not folder.is_dir():
        return None
    entries = list(os.scandir(folder))
    archives = sum(entry.name.endswith('.tar') for entry in entries)
    if archives:
        return (
            f'{archives} tar files in {folder} are not unpacked: run `cd {folder} && for f in *.tar; do mkdir -p '
            '"${f%.tar}" && tar -xf "$f" -C "${f%.tar}" && rm "$f"; done`'
        )
    folders = [entry for entry in entries if entry.is_dir()]
    if len(folders) == 1 and folders[0].name == folder.name:
        return f'its class folders stand one level too deep, in {folders[0].path}: move them up, or set data_prefix'
    if entries and not folders:
        return (
            f'{folder} holds images without class folders: unpack train.txt and val.txt of {CAFFE_LISTS} into '
            f'{folder.parent}/'
            'meta, where mmpretrain reads the labels, or sort the images into a folder for every class'
        )
    return None


def _stands_elsewhere(config: dict, missing: Path | None) -> str | None:
    """Finds a missing file or folder elsewhere below its data_root, or a file beside it; None if it is nowhere near."""
    root = Path(config.get('data_root') or '.')
    if missing is None or digit_scenes_home(config) or not missing.is_relative_to(root) or missing == root:
        return None
    rest = missing.relative_to(root)
    # Many data sets have a folder `train`: beside data_root only a file's name is distinctive enough.
    near = [root.parent, *_folders_below(root.parent, DEPTH), *_folders_below(root.parent.parent, DEPTH)]
    beside = near if rest.suffix and '*' not in rest.name else []
    for folder in (*_folders_below(root, DEPTH), *beside):
        if folder != root and next((folder / rest.parent).glob(rest.name), None) is not None:
            return f'it stands in {folder}: move it, or set data_root of {type_name(config)} to {folder}'
    return None


def _folders_below(base: Path, depth: int) -> Iterator[Path]:
    try:
        folders = sorted(
            entry.path for entry in os.scandir(base) if entry.is_dir() and entry.name != DIGIT_SCENES
        )
    except OSError:  # missing, or not readable by us
        return
    if len(folders) > MOST_FOLDERS:
        return
    yield from map(Path, folders)
    if depth > 1:
        for folder in folders:
            yield from _folders_below(Path(folder), depth - 1)
