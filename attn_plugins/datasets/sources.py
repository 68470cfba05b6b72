"""Says where each data set comes from: the end of the sentence that reports one as missing."""

import re
from pathlib import Path

DIGIT_SCENES = 'digit_scenes'
SCENES_FOLDER = rf'{DIGIT_SCENES}(?:_(\d+)(?:_(\d+))?)?(?:_(\d+)px)?'
ARCHIVE = 'get {} from {} and unpack {} into {{root}}'
MNIST = (
    'get train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and '
    't10k-labels-idx1-ubyte.gz from {} and put them, unpacked by gunzip, into {{root}}'
)
VOC2012 = (
    'get VOCtrainval_11-May-2012.tar from host.robots.ox.ac.uk/pascal/VOC/voc2012 and unpack it into {parent}'
)
# A pattern that only this data set matches, in `TYPE ANN_FILE PREFIXES` of a config -> what to do, with {root} for its
# folder and {converters} for mmseg's. The first match counts; a user's own data set in COCO's format matches none.
SOURCES = {
    'leftImg8bit|gtFine': 'get gtFine_trainvaltest.zip and leftImg8bit_trainvaltest.zip from '
    'www.cityscapes-dataset.com, unpack '
    'them into {root}, then run `pip install cityscapesscripts && python {converters}/cityscapes.py {root} --nproc 8`',
    '(train|val)2017': 'get train2017.zip, val2017.zip and annotations_trainval2017.zip from '
    'cocodataset.org/#download and unpack them into {root}',
    'SegmentationClassAug|Segmentation/(train)?aug': VOC2012
    + ', get the SBD (benchmark.tgz), unpack it and name its '
    'benchmark_RELEASE {parent}/VOCaug, then run `python {converters}/voc_aug.py {parent} {parent}/VOCaug`',
    'SegmentationClass': VOC2012,
    'VOC20(07|12)': 'get VOCtrainval_06-Nov-2007.tar, VOCtest_06-Nov-2007.tar and VOCtrainval_11-May-2012.tar from '
    'host.robots.ox.ac.uk/pascal/VOC and unpack them so that {root} holds VOC2007 and VOC2012',
    '^CIFAR100 ': ARCHIVE.format('cifar-100-python.tar.gz', 'www.cs.toronto.edu/~kriz/cifar.html', 'it'),
    '^CIFAR10 ': ARCHIVE.format('cifar-10-python.tar.gz', 'www.cs.toronto.edu/~kriz/cifar.html', 'it'),
    '^FashionMNIST ': MNIST.format('github.com/zalandoresearch/fashion-mnist'),
    '^MNIST ': MNIST.format('ossci-datasets.s3.amazonaws.com/mnist'),
    '^ImageNet ': 'get ILSVRC2012 from image-net.org/download and sort its images into {root}/train/<class> and '
    '{root}/val/<class>',
}


def how_to_get(dataset: dict, converters: str) -> str | None:
    """Says how to get the data of a dataset's config; None for a user's own data.

    Args:
        dataset (dict): The config.
        converters (str): The folder of mmseg's converters.
    """
    root = Path(dataset.get('data_root') or '.')
    home = digit_scenes_home(dataset)
    if home is not None:
        option = '' if home == Path('data', DIGIT_SCENES) else f' --root {home}'
        numbers = zip(('train', 'val', 'size'), re.fullmatch(SCENES_FOLDER, home.name).groups(), strict=True)
        option += ''.join(f' --{name} {number}' for name, number in numbers if number)
        return f'run `python tools/make_digit_scenes.py{option}`, which writes the whole set'
    words = f'{type_name(dataset)} {dataset.get("ann_file") or ""} {dataset.get("data_prefix") or ""}'
    for pattern, text in SOURCES.items():
        if re.search(pattern, words):
            return text.format(root=root, parent=root.parent, converters=converters)
    return None


def type_name(dataset: dict) -> str:
    """Returns the name of a dataset's class without its scope; new-style configs hold the class itself."""
    kind = dataset.get('type')
    return kind.__name__ if isinstance(kind, type) else str(kind).rpartition('.')[2]


def digit_scenes_home(dataset: dict) -> Path | None:
    """Returns the folder of the DigitScenes that a dataset reads, None if it reads something else.

    Its name is digit_scenes, with the numbers of training and validation scenes and the size in pixels that are not the
    usual ones: digit_scenes_300, digit_scenes_900_160_64px.
    """
    parts = Path(dataset.get('data_root') or '.').parts
    for i, part in enumerate(parts):
        if re.fullmatch(SCENES_FOLDER, part):
            return Path(*parts[: i + 1])
    return None
