"""What a place in a host is, and the kinds of places that several layers share."""

from typing import NamedTuple


class Place(NamedTuple):
    """The place of a layer in a host.

    Attributes:
        picture: Name of a drawing in `picture.py`.
        marks: (word, box) pairs: the layer stands 'before' or 'after' a box of the drawing, or in its place ('replace').
        where: The place in words.
        read_in: Where the authors' place was read; empty if it is not known, then the place is an example.
        host: What the config builds: its `type` in the library, and options that belong to the place.
        plugins: The entries of `plugins=`.
        library: Whose project the config belongs to.
    """

    picture: str
    marks: tuple[tuple[str, str], ...]
    where: str
    read_in: str
    host: dict
    plugins: tuple[dict, ...]
    library: str = 'mmdet'


def layer(name: str, **options) -> dict:
    """The config of a layer."""
    return dict(type=f'attn_plugins.{name}', **options)


def end_of_branch(name: str, read_in: str, more: str = '', **entry) -> Place:
    """After the last norm of a residual block, the usual place."""
    where = 'After the last norm of every residual block, before the addition.' + more
    plugins = (dict(cfg=layer(name), position='after_conv3', **entry),)
    return Place('bottleneck', (('after', 'norm3'),), where, read_in, dict(type='ResNet'), plugins)


def norm(name: str, where: str, read_in: str) -> Place:
    """In place of the batch norms of the main path."""
    marks = tuple(('replace', f'norm{index}') for index in (1, 2, 3))
    plugins = (dict(cfg=layer(name), norm='main'),)
    return Place('bottleneck', marks, where, read_in, dict(type='ResNet', norm_eval=False), plugins)


def conv(name: str, where: str, read_in: str, *stages: int, **host) -> Place:
    """In place of the 3x3 convolutions, of all stages or of some."""
    globs = [f'layer{stage}.*.conv2' for stage in stages] or ['**.conv2']
    plugins = tuple(dict(cfg=layer(name), replace=glob) for glob in globs)
    return Place('bottleneck', (('replace', 'conv2'),), where, read_in, {'type': 'ResNet', **host}, plugins)


def dual(name: str, **given) -> Place:
    """In DANet's head, in place of the module of the same method that mmseg has there."""
    plugins = (dict(cfg=layer(name, **given), replace=name.lower()),)
    where = "In DANet's segmentation head only: PAM and CAM stand side by side, each between two 3x3 convolutions."
    read_in = 'junfu1115/DANet: encoding/models/sseg/danet.py'
    return Place('danet', (('replace', name),), where, read_in, dict(type='DAHead'), plugins, 'mmseg')
