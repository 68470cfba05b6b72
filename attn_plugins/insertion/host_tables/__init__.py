"""Names the positions, and says where they are in the hosts of OpenMMLab, torchvision and timm: one file per library.


    Bottleneck        x - conv1 norm1 relu | conv2 norm2 relu | conv3 norm3 | + x, relu |
                                  after_conv1       after_conv2   after_conv3   block_output
    BasicBlock        x - conv1 norm1 relu | conv2 norm2 | + x, relu |
                                  after_conv1   after_conv2   block_output
    InvertedResidual  x - expand | depthwise | (the host's SE) linear | + x |      each with its norm and activation
                      after_expand  after_depthwise        after_linear  block_output
    Sandglass         x - depthwise | reduce, expand | depthwise | + x |
                           after_depthwise   after_expand   after_linear  block_output
    backbone          stem | blocks | blocks | ... | head      each run of blocks and the module that ends it is a stage
                           stage_output  for each
    FPN               lateral convs | top-down sums, output convs |      one of each per level
                          lateral_output                 fpn_output
    backbone, neck    ... | the maps that its forward returns, as a tuple or a list
                               level_output

after_conv1, after_conv2 and after_conv3 mean the same as in mmdet's and mmseg's own `plugins=`: the last of them is
after the norm and before the addition, and the host's own SE comes after it. after_linear is after the convolution
that ends a branch without an activation. A Sandglass (attn_plugins.MobileNeXt) has two depthwise convolutions, and its
after_linear is after the last of them. A block that lacks a position is skipped. A class in a table stands for itself
and for its subclasses, unless they have an entry of their own. A library has up to three tables, class -> what it
declares: BLOCKS (position -> place), STAGES (globs of a stage's modules) and LEVELS (position -> glob of modules, one
per level).

stage_output and level_output need no table but STAGES: stage_output is after the last module of a stage, if that
returns one map, and level_output is after the host. In a PAFPN, fpn_output is before the bottom-up path and
level_output is behind it.
"""

from attn_plugins.insertion.host_tables.lookup import declared, places

POSITIONS = (
    'after_conv1',
    'after_conv2',
    'after_conv3',
    'after_expand',
    'after_depthwise',
    'after_linear',
    'block_output',
    'stage_output',
    'lateral_output',
    'fpn_output',
    'level_output',
)

__all__ = ['POSITIONS', 'declared', 'places']
