"""Blocks that several libraries write alike: position -> place."""

from attn_plugins.insertion.host_tables.finders import child, if_there

OUTPUT = {'block_output': 'after .'}
# The hosts of a family share one ReLU in a block, so the place after the ReLU is declared as before the next conv.
BASIC = {'after_conv1': 'before conv2', 'after_conv2': 'after norm2', **OUTPUT}
BASIC_BN = {**BASIC, 'after_conv2': 'after bn2'}
BOTTLENECK = {
    'after_conv1': 'before conv2',
    'after_conv2': 'before conv3',
    'after_conv3': 'after norm3',
    **OUTPUT,
}
BOTTLENECK_BN = {**BOTTLENECK, 'after_conv3': 'after bn3'}
# The shared ReLU stands between the first norm and a split, so no module marks the place after_conv1.
BOTTLE2NECK = {'after_conv2': 'before conv3', 'after_conv3': 'after norm3', **OUTPUT}
NAMED_CONVS = {
    'after_expand': if_there('expand_conv'),
    'after_depthwise': 'after depthwise_conv',
    'after_linear': 'after linear_conv',
    **OUTPUT,
}
CONVS = {
    'after_expand': child('conv', -3),
    'after_depthwise': 'after conv.-2',
    'after_linear': 'after conv.-1',
    **OUTPUT,
}
EDGE = {'after_expand': 'after conv1', 'after_linear': 'after conv2', **OUTPUT}

# Stages of HRNet.
HRNET = ('layer1', 'stage*')
# Levels of FPN.
FPN = {'lateral_output': 'lateral_convs.*', 'fpn_output': 'fpn_convs.*'}
