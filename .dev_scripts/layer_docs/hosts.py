"""The drawings' hosts as data: rows of boxes, what goes around them, what shares a layer."""

from typing import NamedTuple


class Host(NamedTuple):
    """A part of a host, read from left to right.

    Attributes:
        title: What it is.
        rows: Boxes as (name, label); rows stand side by side between fork and join.
        tail: Boxes after the rows have come together.
        skips: (first, last) boxes: what enters `first` also goes to `last` by a path of its own.
        shared: Whether all marks are one and the same layer.
    """

    title: str
    rows: tuple[tuple[tuple[str, str], ...], ...]
    tail: tuple[tuple[str, str], ...] = ()
    skips: tuple[tuple[str, str], ...] = ()
    shared: bool = False


def _row(text: str) -> tuple[tuple[str, str], ...]:
    """'name: label, name: label'; a name alone is its own label."""
    pairs = [part.strip().partition(': ') for part in text.split(',')]
    return tuple((name, label or name) for name, _, label in pairs)


HOSTS = {
    'bottleneck': Host(
        'bottleneck block of a ResNet',
        (
            _row(
                'conv1: conv 1x1, norm1: norm, relu1: ReLU, conv2: conv 3x3, norm2: norm, relu2: ReLU, '
                'conv3: conv 1x1, norm3: norm, sum: +, relu3: ReLU'
            ),
        ),
        skips=(('conv1', 'sum'),),
    ),
    'inverted_residual': Host(
        'inverted residual block of MobileNetV2',
        (
            _row(
                'conv1: conv 1x1, norm1: norm, relu1: ReLU6, conv2: depthwise 3x3, norm2: norm, relu2: ReLU6, '
                'conv3: conv 1x1, norm3: norm, sum: +'
            ),
        ),
        skips=(('conv1', 'sum'),),
    ),
    'network': Host('ResNet', (_row('stem, layer1, layer2, layer3, layer4'),)),
    'stage': Host(
        'third stage of a ResNet-50', (_row('block 0, block 1, block 2, block 3, block 4, block 5'),)
    ),
    'shared_stage': Host(
        'stage of a ResNet',
        (_row('branch0: block 0, sum0: +, branch1: block 1, sum1: +, branch2: block 2, sum2: +'),),
        skips=(('branch0', 'sum0'), ('branch1', 'sum1'), ('branch2', 'sum2')),
        shared=True,
    ),
    'ccnet': Host(
        'segmentation head of CCNet',
        (
            _row(
                'conv1: conv 3x3, cca1: attention, cca2: attention, conv2: conv 3x3, sum: concat, '
                'conv3: conv 3x3, seg: classifier'
            ),
        ),
        skips=(('conv1', 'sum'),),
        shared=True,
    ),
    'danet': Host(
        'segmentation head of DANet',
        (
            _row('pam_in: conv 3x3, PAM, pam_out: conv 3x3'),
            _row('cam_in: conv 3x3, CAM, cam_out: conv 3x3'),
        ),
        _row('sum: +, seg: classifier'),
    ),
}
