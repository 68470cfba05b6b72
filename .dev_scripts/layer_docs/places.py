"""Where each layer goes: the picture, the place in it, and the config that puts it there. One entry per type."""

from layer_docs.place import Place, conv, dual, end_of_branch, layer, norm

PLACES = {
    'AAConv': conv(
        'AAConv',
        'In place of the 3x3 convolutions, here of the last two stages.',
        '',
        3,
        4,
    ),
    'BAM': Place(
        'network',
        tuple(('after', f'layer{stage}') for stage in (1, 2, 3)),
        'Between the stages, once after each of the first three, not inside the blocks.',
        'Jongchan/attention-module: MODELS/bam.py',
        dict(type='ResNet'),
        tuple(dict(cfg=layer('BAM'), after=f'layer{stage}') for stage in (1, 2, 3)),
    ),
    'CAM': dual('CAM', in_channels=512),
    'CBAM': end_of_branch('CBAM', 'Jongchan/attention-module: MODELS/model_resnet.py'),
    'ChannelAttention': end_of_branch('ChannelAttention', '', ' The place of SE.'),
    'CoordAttention': Place(
        'inverted_residual',
        (('after', 'relu2'),),
        'After the depthwise convolution, its norm and activation, in every block of MobileNetV2 that expands.',
        'houqb/CoordAttention: mbv2_ca.py',
        dict(type='MobileNetV2'),
        (
            dict(
                cfg=layer('CoordAttention'),
                position='after_depthwise',
                stages=(False, True, True, True, True, True, True),
            ),
        ),
    ),
    'CrissCross': Place(
        'ccnet',
        (('replace', 'cca1'), ('replace', 'cca2')),
        "In CCNet's segmentation head only, between two 3x3 convolutions, twice with the same weights "
        "(`recurrence=2` is the head's default).",
        'speedinghzl/CCNet: networks/ccnet.py',
        dict(type='CCHead'),
        (dict(cfg=layer('CrissCross'), replace='cca'),),
        'mmseg',
    ),
    'DIA': Place(
        'shared_stage',
        tuple(('after', f'branch{block}') for block in range(3)),
        'After the last norm of every residual block, before the addition; the blocks of a stage share one layer, whose '
        'state goes from block to block.',
        'gbup-group/DIANet: models/cifar/dia_resnet.py',
        dict(type='ResNet'),
        (dict(cfg=layer('DIA'), position='after_conv3', share='stage'),),
    ),
    'DoubleAttention': Place(
        'bottleneck',
        (('after', 'relu3'),),
        'After whole residual blocks, here those of the third stage.',
        '',
        dict(type='ResNet'),
        (dict(cfg=layer('DoubleAttention'), position='block_output', stages=(False, False, True, False)),),
    ),
    'DynamicConv': conv('DynamicConv', 'In place of the 3x3 convolutions.', ''),
    'ECA': end_of_branch(
        'ECA',
        'BangguWu/ECANet: models/eca_resnet.py, models/eca_mobilenetv2.py',
        " In MobileNetV2 after the projection's norm: `position='after_linear'`.",
    ),
    'FCA': Place(
        'bottleneck',
        (('after', 'norm3'),),
        'After the last norm of every residual block, before the addition; `dct_size` is the size of the maps of a '
        'stage at 224 x 224.',
        'cfzd/FcaNet: model/fcanet.py',
        dict(type='ResNet'),
        tuple(
            dict(
                cfg=layer('FCA', dct_size=size),
                position='after_conv3',
                stages=tuple(stage == other for other in range(4)),
            )
            for stage, size in enumerate((56, 28, 14, 7))
        ),
    ),
    'GALA': Place(
        'bottleneck',
        (('after', 'norm3'),),
        'After the last norm of a residual block, before the addition, in the first block of every stage.',
        'serre-lab/gala_tpu: resnet_model.py',
        dict(type='ResNet'),
        (dict(cfg=layer('GALA'), after='layer*.0.bn3'),),
    ),
    'GC': end_of_branch(
        'GC',
        'xvjiarui/GCNet: resnet.py; mmdet: configs/gcnet',
        ' In the last three stages.',
        stages=(False, True, True, True),
    ),
    'GCT': Place(
        'bottleneck',
        tuple(('before', conv) for conv in ('conv1', 'conv2', 'conv3')),
        'Before every convolution, also that of the stem and those of the projection shortcuts.',
        'z-x-yang/GCT: PyTorch/resnet.py',
        dict(type='ResNet'),
        (
            dict(cfg=layer('GCT'), before='**.conv*'),
            dict(cfg=layer('GCT'), before='**.downsample.0'),
        ),
    ),
    'GE': end_of_branch('GE', 'hujie-frank/GENet: models/RN50-GEPF.prototxt'),
    'GeneralizedAttention': Place(
        'bottleneck',
        (('after', 'relu2'),),
        'After the 3x3 convolution, its norm and activation, in every block of the last two stages, with 8 heads.',
        'mmdet: configs/empirical_attention',
        dict(type='ResNet'),
        (
            dict(
                cfg=layer('GeneralizedAttention', num_heads=8),
                position='after_conv2',
                stages=(False, False, True, True),
            ),
        ),
    ),
    'IEBN': norm(
        'IEBN',
        'In place of the batch norms of the stem and of the blocks; those of the projection shortcuts stay plain.',
        'gbup-group/IEBN: models/cifar/iebn_resnet.py',
    ),
    'NoisyBN': norm('NoisyBN', 'In place of the batch norms of the stem and of the blocks.', ''),
    'NonLocal': Place(
        'stage',
        tuple(('after', f'block {block}') for block in (1, 3, 5)),
        'After whole residual blocks: the second and the fourth of the second stage, the second, the fourth and the '
        'sixth of the third stage, which is drawn.',
        'facebookresearch/video-nonlocal-net: lib/core/config.py, resnet_video.py',
        dict(type='ResNet'),
        tuple(
            dict(cfg=layer('NonLocal'), after=f'layer{block}')
            for block in ('2.1', '2.3', '3.1', '3.3', '3.5')
        ),
    ),
    'PAM': dual('PAM'),
    'SE': end_of_branch('SE', 'hujie-frank/SENet: models/SE-ResNet-50.prototxt'),
    'SEM': end_of_branch('SEM', 'Qrange-group/SEM: models/sem.py'),
    'SGE': end_of_branch('SGE', 'implus/PytorchInsight: classification/models/imagenet/resnet_sge.py'),
    'SKConv': conv(
        'SKConv',
        'In place of the 3x3 convolutions of a ResNeXt.',
        'implus/SKNet: models/sknet50.prototxt',
        type='ResNeXt',
        groups=32,
        base_width=4,
    ),
    'SRM': end_of_branch('SRM', 'hyunjaelee410/style-based-recalibration-module: models/resnet.py'),
    'SimAM': Place(
        'bottleneck',
        (('after', 'conv2'),),
        'Between the 3x3 convolution and its norm, in every block; in MobileNetV2 between the depthwise convolution '
        'and its norm.',
        'ZjjConan/SimAM: networks/cifar/block.py, networks/imagenet/mobilenetv2.py',
        dict(type='ResNet'),
        (dict(cfg=layer('SimAM'), after='**.conv2'),),
    ),
    'TripletAttention': end_of_branch(
        'TripletAttention',
        'landskape-ai/triplet-attention: MODELS/resnet.py, MODELS/mobilenet.py',
        " In MobileNetV2 after the projection's norm: `position='after_linear'`.",
    ),
}
