"""CIFAR and MNIST: data sets of a few files that hold all their images, with MD5 sums in mmpretrain's classes."""

import hashlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from attn_plugins.datasets.sources import type_name

MNIST_FILES = (
    'train-images-idx3-ubyte',
    'train-labels-idx1-ubyte',
    't10k-images-idx3-ubyte',
    't10k-labels-idx1-ubyte',
)
# Class of mmpretrain -> the folder below data_root, the files in it.
FOLDERS = {
    'CIFAR10': (
        'cifar-10-batches-py',
        (*(f'data_batch_{i}' for i in range(1, 6)), 'test_batch', 'batches.meta'),
    ),
    'CIFAR100': ('cifar-100-python', ('train', 'test', 'meta')),
    'MNIST': ('', MNIST_FILES),
    'FashionMNIST': ('', MNIST_FILES),
}


def byte_folder(dataset: dict) -> Path:
    """The folder that holds the files of a CIFAR or MNIST."""
    prefix = dataset.get('data_prefix') or ''
    return Path(dataset.get('data_root') or '', prefix, FOLDERS[type_name(dataset)][0])


def byte_readers(dataset: dict, dataset_class: type) -> Iterator[Callable[[], list[str]]]:
    """Functions that each read one file and say what is wrong with it.

    MNIST's sums are those of the packed files, so of an unpacked one the length is compared with what its head says.
    """
    meta = getattr(dataset_class, 'meta', None)
    sums = [*dataset_class.train_list, *dataset_class.test_list]
    sums += [(meta['filename'], meta['md5'])] if meta else []
    folder = byte_folder(dataset)
    for name, md5 in sums:
        unpacked = folder / name.removesuffix('.gz')
        if name.endswith('.gz') and unpacked.is_file():
            yield partial(compare_length, unpacked)
        elif (folder / name).is_file():
            yield partial(compare_md5, folder / name, md5)


def mnist_images(dataset: dict) -> int:
    """The number of images of an MNIST, which the head of their unpacked file says."""
    with open(byte_folder(dataset) / MNIST_FILES[2 if dataset.get('test_mode') else 0], 'rb') as file:
        return int.from_bytes(file.read(8)[4:], 'big')


def compare_md5(path: Path, md5: str) -> list[str]:
    """What is wrong with a file whose MD5 sum is known."""
    digest = hashlib.md5()
    with open(path, 'rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() == md5:
        return []
    return [f'{path} is not the published file: its MD5 sum is {digest.hexdigest()}, not {md5}']


def compare_length(path: Path) -> list[str]:
    """What is wrong with an unpacked file of MNIST: four bytes of type and rank, four for every length, the data."""
    data = path.read_bytes()
    rank = 3 if 'idx3' in path.name else 1
    lengths = [int.from_bytes(data[4 * i : 4 * i + 4], 'big') for i in range(1, rank + 1)]
    size = 1
    for length in lengths:
        size *= length
    if data[:4] != bytes([0, 0, 8, rank]):
        return [f'{path} is no file of MNIST']
    if len(data) != 4 * (rank + 1) + size:
        return [f'{path} has {len(data)} bytes, not the {4 * (rank + 1) + size} that its head says']
    return []
