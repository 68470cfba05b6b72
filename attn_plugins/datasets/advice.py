"""What to do about data that a class does not find: moved folders, archives not unpacked, masks not converted, or not there."""

import difflib
import os
import shlex
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from attn_plugins.datasets.sources import DIGIT_SCENES, digit_scenes_home, how_to_get, type_name

# A folder or file that no other data set has -> the archives that hold it, and whether they hold its parent too.
ARCHIVES = {
    'train2017': (('train2017.zip',), False),
    'val2017': (('val2017.zip',), False),
    'annotations': (('annotations_trainval2017.zip',), False),
    'leftImg8bit': (('leftImg8bit_trainvaltest.zip',), False),
    'gtFine': (('gtFine_trainvaltest.zip',), False),
    'VOC2007': (('VOCtrainval_06-Nov-2007.tar', 'VOCtest_06-Nov-2007.tar'), True),
    'VOC2012': (('VOCtrainval_11-May-2012.tar',), True),
    'cifar-10-batches-py': (('cifar-10-python.tar.gz',), False),
    'cifar-100-python': (('cifar-100-python.tar.gz',), False),
}
# ImageNet's folders have the names of everybody's, and its archives hold what belongs into them.
IMAGENET = {'train': 'ILSVRC2012_img_train.tar', 'val': 'ILSVRC2012_img_val.tar'}
# Only data sets whose folders nobody else has are looked for beside the folder where they should be.
WANDERING = {'VOC2007', 'VOC2012', 'cifar-10-batches-py', 'cifar-100-python'}
# Those of Cityscapes are in its derivatives too, but not beside them in a folder with the archive's name.
UNPACKED = {'leftImg8bit': 'leftImg8bit_trainvaltest', 'gtFine': 'gtFine_trainvaltest'}
CONVERTED = ('aug', 'Aug', 'labelTrainIds')  # what no archive holds
DEPTH = 3
SHOWN = 5  # names in a sentence
CAFFE_LISTS = 'https://download.openmmlab.com/mmclassification/datasets/imagenet/meta/caffe_ilsvrc12.tar.gz'
MOST_FOLDERS = 50  # a folder of more holds classes or towns, not data sets


def advice_on(config: dict, missing: Path | None) -> str:
    """What to do about a dataset of which something is missing, or cannot be loaded: the end of the sentence.

    Args:
        config (dict): The dataset's config.
        missing (Path, optional): The first file or folder that is not there, if that is what is wrong.
    """
    return (
        look_elsewhere(config, missing)
        or _not_converted(config, missing)
        or _class_folders(config)
        or how_to_get(config, mmseg_converters())
        or _nearest(config, missing)
    )


def holds(missing: Path) -> str:
    """What lies where something is missing, in brackets: folders by name, files by suffix."""
    folder = next(parent for parent in missing.absolute().parents if parent.is_dir())
    folder = folder if missing.is_absolute() else Path(os.path.relpath(folder))
    entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    folders = [f'{entry.name}/' for entry in entries if entry.is_dir()]
    files = Counter(Path(entry.name).suffix for entry in entries if not entry.is_dir())
    named = [*folders[:SHOWN], *([f'{len(folders) - SHOWN} more folders'] if len(folders) > SHOWN else [])]
    named += [f'{number} *{suffix or " without suffix"}' for suffix, number in files.most_common(3)]
    return f' ({folder} holds {", ".join(named) or "nothing"})'


def _nearest(config: dict, missing: Path | None) -> str:
    """The end of the sentence on data of one's own: the nearest name that is there, and the keys that say where they are."""
    keys = [key for key in ('data_root', 'ann_file', 'data_prefix') if config.get(key)]
    said = f'set {" and ".join(keys) or "data_root"} of {type_name(config)} to where its files are, relative to this folder'
    if missing is None:
        return said
    folder = next(parent for parent in missing.absolute().parents if parent.is_dir())
    name = missing.absolute().relative_to(folder).parts[0]
    close = difflib.get_close_matches(name, [entry.name for entry in os.scandir(folder)], n=1)
    return f'did you mean {folder / close[0]}? {said}' if close else said


def _not_converted(config: dict, missing: Path | None) -> str | None:
    """mmseg's command for the masks of Cityscapes, where the polygons that they are drawn from are there."""
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
    """The folder of the converters that mmseg brings with it."""
    spec = find_spec('mmseg')
    home = Path(spec.submodule_search_locations[0]) if spec else Path('mmseg')
    path = home / '.mim' / 'tools' / 'dataset_converters'
    return min(os.path.relpath(path), str(path), key=len)


def _class_folders(config: dict) -> str | None:
    """What to do about ImageNet's images that are in tar files, or in no folder of a class."""
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
        return f'its images stand one level too deep, so run `{move_up(Path(folders[0].path), folder)}`'
    if entries and not folders:
        return (
            f'{folder} holds images without class folders: unpack train.txt and val.txt of {CAFFE_LISTS} into {folder.parent}/'
            'meta, where mmpretrain reads the labels, or sort the images into a folder for every class'
        )
    return None


def look_elsewhere(dataset: dict, missing: Path | None) -> str | None:
    """Where the missing file or folder stands, and the command that puts it in its place; None if it is nowhere near."""
    if missing is None or digit_scenes_home(dataset):
        return None
    root = Path(dataset.get('data_root') or '.')
    parts = missing.parts
    start = max((i for i, part in enumerate(parts) if part in ARCHIVES), default=None)
    if start is None:
        start = len(root.parts) if root.parts == parts[: len(root.parts)] else None
    if start is None or start >= len(parts):
        return None
    home, name, tail = Path(*parts[:start]), parts[start], Path(*parts[start:])
    for folder in _places(home, name):
        if _holds(folder, tail):
            return f'it stands in {folder}, so run `{_move(folder, home, name, tail)}`'
    return _not_unpacked(home, tail, type_name(dataset))


def _places(home: Path, name: str) -> Iterator[Path]:
    """The folders in which the one of this name may stand by mistake, those near its right place first."""
    yield from _folders_below(home, DEPTH)
    if name in UNPACKED:
        yield home.parent / UNPACKED[name]
    if name in WANDERING:
        yield home.parent
        yield from (folder for folder in _folders_below(home.parent, DEPTH) if folder != home)


def _folders_below(base: Path, depth: int) -> Iterator[Path]:
    try:
        folders = sorted(
            entry.path for entry in os.scandir(base) if entry.is_dir() and entry.name != DIGIT_SCENES
        )
    except OSError:  # not there, or not for us to read
        return
    if len(folders) > MOST_FOLDERS:
        return
    yield from map(Path, folders)
    if depth > 1:
        for folder in folders:
            yield from _folders_below(Path(folder), depth - 1)


def _holds(folder: Path, tail: Path) -> bool:
    if '*' in tail.name:
        return next((folder / tail.parent).glob(tail.name), None) is not None
    return (folder / tail).exists()


def _move(folder: Path, home: Path, name: str, tail: Path) -> str:
    """The command that brings `folder/name` to `home/name`; links join it with what is there already."""
    if (folder / name).is_file():
        return f'mv {shlex.quote(str(folder))}/* {shlex.quote(str(home))}'
    source, target = shlex.quote(str(folder / name)), shlex.quote(str(home / name))
    if home / name in (folder, *folder.parents):
        return move_up(folder / name, home / name)
    if (home / name).exists():
        return f'cp -al {source}/. {target}'
    make = '' if home.is_dir() else f'mkdir -p {shlex.quote(str(home))} && '
    return f'{make}mv {source} {target}'


def move_up(folder: Path, target: Path) -> str:
    """The command that empties a folder into one above it; a shell's `*` would be too long for many files."""
    source = shlex.quote(str(folder))
    each = f'-exec mv -t {shlex.quote(str(target))} {{}} +'
    return f'find {source} -mindepth 1 -maxdepth 1 {each} && rmdir {source}'


def _not_unpacked(home: Path, tail: Path, kind: str) -> str | None:
    """The command that unpacks the archive of what is missing, if it lies beside it."""
    name = tail.parts[0]
    archives, with_parent = ARCHIVES.get(name, ((), False))
    if any(word in str(tail) for word in CONVERTED):
        return None
    if tail.suffix == '.txt':  # VOC's list of the test has an archive of its own
        archives = [archive for archive in archives if ('test' in archive) == (tail.stem == 'test')]
    target = home.parent if with_parent else home
    if kind == 'ImageNet' and name in IMAGENET:
        archives, target = (IMAGENET[name],), home / name
    whole = ' wholly' if (home / name).exists() else ''
    for archive in archives:
        for folder in (home, home.parent):
            if (folder / archive).is_file():
                packed, into = shlex.quote(str(folder / archive)), shlex.quote(str(target))
                unpack = (
                    f'unzip -nq {packed} -d {into}'
                    if archive.endswith('.zip')
                    else f'mkdir -p {into} && tar -xf {packed} -C {into}'
                )
                return f'{folder / archive} is there but not{whole} unpacked, so run `{unpack}`'
    return None
