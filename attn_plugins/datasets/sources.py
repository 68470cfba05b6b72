"""Where each data set comes from: the end of the sentence that says one is missing."""

import re
from pathlib import Path

DIGIT_SCENES = 'digit_scenes'
# The first whose word is in the dataset's folder or type; the text has {root} for the folder.
SOURCES = {
    'cityscapes': 'get gtFine_trainvaltest.zip and leftImg8bit_trainvaltest.zip from www.cityscapes-dataset.com, unpack '
    'them into {root}, then run `python tools/dataset_converters/cityscapes.py {root}`',
    'coco': 'get train2017.zip, val2017.zip and annotations_trainval2017.zip from cocodataset.org/#download and unpack them '
    'into {root}',
    'vocaug': 'get VOCtrainval_11-May-2012.tar from host.robots.ox.ac.uk/pascal/VOC/voc2012 and unpack it into {parent}, get '
    'the SBD (benchmark.tgz) and unpack it into {parent}/VOCaug, then run '
    '`python tools/dataset_converters/voc_aug.py {parent} {parent}/VOCaug`',
    'voc2012': 'get VOCtrainval_11-May-2012.tar from host.robots.ox.ac.uk/pascal/VOC/voc2012 and unpack it into {parent}',
    'voc': 'get VOCtrainval_06-Nov-2007.tar, VOCtest_06-Nov-2007.tar and VOCtrainval_11-May-2012.tar from '
    'host.robots.ox.ac.uk/pascal/VOC and unpack them so that {root} holds VOC2007 and VOC2012',
    'cifar100': 'get cifar-100-python.tar.gz from www.cs.toronto.edu/~kriz/cifar.html and unpack it into {root}',
    'cifar10': 'get cifar-10-python.tar.gz from www.cs.toronto.edu/~kriz/cifar.html and unpack it into {root}',
    'fashion': 'get train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and '
    't10k-labels-idx1-ubyte.gz from github.com/zalandoresearch/fashion-mnist and put them into {root}',
    'mnist': 'get train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and '
    't10k-labels-idx1-ubyte.gz from ossci-datasets.s3.amazonaws.com/mnist and put them into {root}',
    'imagenet': 'get ILSVRC2012 from image-net.org/download and sort its images into {root}/train/<class> and '
    '{root}/val/<class>',
}


def how_to_get(dataset: dict) -> str:
    """What to do to get the data of a dataset's config."""
    root = Path(dataset.get('data_root') or '.')
    home = digit_scenes_home(dataset)
    if home is not None:
        option = '' if home == Path('data', DIGIT_SCENES) else f' --root {home}'
        number = home.name.rpartition('_')[2]
        option += f' --train {number}' if number.isdecimal() else ''
        return f'run `python tools/make_digit_scenes.py{option}`, which writes the whole set'
    words = f'{root} {type_name(dataset)}'.lower()
    if 'Aug' in str(dataset.get('ann_file')) + str(dataset.get('data_prefix')):
        words = 'vocaug'
    for word, text in SOURCES.items():
        if word in words:
            return text.format(root=root, parent=root.parent)
    return f'put it there, or set data_root of {type_name(dataset)} in the config to where it is'


def type_name(dataset: dict) -> str:
    """The name of a dataset's class without its scope; new-style configs hold the class itself."""
    kind = dataset.get('type')
    return kind.__name__ if isinstance(kind, type) else str(kind).rpartition('.')[2]


def digit_scenes_home(dataset: dict) -> Path | None:
    """The folder of the DigitScenes that a dataset reads, None if it reads something else.

    It is called digit_scenes, or digit_scenes_1000 where it has another number of training scenes.
    """
    parts = Path(dataset.get('data_root') or '.').parts
    for i, part in enumerate(parts):
        if part == DIGIT_SCENES or re.fullmatch(rf'{DIGIT_SCENES}_\d+', part):
            return Path(*parts[: i + 1])
    return None
