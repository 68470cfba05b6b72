"""The libraries' own configs, one of every family, made small enough to run in a second, with SE in the backbone as
README shows.
"""

from importlib.util import find_spec
from pathlib import Path

# Few queries and proposals: their number is the config's, and the small images of the tests have no more places.
FEW_PROPOSALS = 'test_cfg=dict(rpn=dict(max_per_img=20))'
FEW_QUERIES = 'num_queries=10'
BLOCKS = 'position="block_output"'
LEVELS = 'position="level_output"'  # blocks of transformers hand on tokens, not maps

# Family -> library, shipped config, what is small about the model, where SE goes, height and width of the image.
FAMILIES = {
    'ResNet': ('mmpretrain', 'resnet/resnet18_8xb32_in1k', '', BLOCKS, 64),
    'MobileNetV2': ('mmpretrain', 'mobilenet_v2/mobilenet-v2_8xb32_in1k', '', BLOCKS, 64),
    'EfficientNet': ('mmpretrain', 'efficientnet/efficientnet-b0_8xb32_in1k', '', BLOCKS, 64),
    'ConvNeXt': ('mmpretrain', 'convnext/convnext-tiny_32xb128_in1k', '', BLOCKS, 64),
    'Swin': ('mmpretrain', 'swin_transformer/swin-tiny_16xb64_in1k', '', LEVELS, 224),
    'Faster R-CNN': ('mmdet', 'faster_rcnn/faster-rcnn_r50_fpn_1x_coco', FEW_PROPOSALS, BLOCKS, 64),
    'Mask R-CNN': ('mmdet', 'mask_rcnn/mask-rcnn_r50_fpn_1x_coco', FEW_PROPOSALS, BLOCKS, 64),
    'Cascade R-CNN': ('mmdet', 'cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco', FEW_PROPOSALS, BLOCKS, 64),
    'Sparse R-CNN': (
        'mmdet',
        'sparse_rcnn/sparse-rcnn_r50_fpn_1x_coco',
        'rpn_head=dict(num_proposals=10), test_cfg=dict(rcnn=dict(max_per_img=10))',
        BLOCKS,
        64,
    ),
    'RetinaNet': ('mmdet', 'retinanet/retinanet_r50_fpn_1x_coco', '', BLOCKS, 64),
    'FCOS': ('mmdet', 'fcos/fcos_r50-caffe_fpn_gn-head_1x_coco', '', BLOCKS, 64),
    'SSD': ('mmdet', 'ssd/ssd300_coco', '', 'after="features.3"', 300),
    'SSDLite': ('mmdet', 'ssd/ssdlite_mobilenetv2-scratch_8xb24-600e_coco', '', BLOCKS, 64),
    'YOLOX': ('mmdet', 'yolox/yolox_tiny_8xb8-300e_coco', '', BLOCKS, 64),
    'DETR': ('mmdet', 'detr/detr_r50_8xb2-150e_coco', FEW_QUERIES, BLOCKS, 64),
    'Deformable DETR': (
        'mmdet',
        'deformable_detr/deformable-detr_r50_16xb2-50e_coco',
        FEW_QUERIES,
        BLOCKS,
        64,
    ),
    'DINO': ('mmdet', 'dino/dino-4scale_r50_8xb2-12e_coco', FEW_QUERIES, BLOCKS, 64),
    'RTMDet': ('mmdet', 'rtmdet/rtmdet_tiny_8xb32-300e_coco', '', BLOCKS, 64),
    'FCN': ('mmseg', 'fcn/fcn_r50-d8_4xb2-40k_cityscapes-512x1024', '', BLOCKS, 64),
    'PSPNet': ('mmseg', 'pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024', '', BLOCKS, 64),
    'DeepLabV3': ('mmseg', 'deeplabv3/deeplabv3_r18-d8_4xb2-80k_cityscapes-512x1024', '', BLOCKS, 64),
    'DeepLabV3+': (
        'mmseg',
        'deeplabv3plus/deeplabv3plus_r18-d8_4xb2-80k_cityscapes-512x1024',
        '',
        BLOCKS,
        64,
    ),
    'UPerNet': ('mmseg', 'upernet/upernet_r50_4xb2-40k_cityscapes-512x1024', '', BLOCKS, 64),
    'HRNet-FCN': ('mmseg', 'hrnet/fcn_hr18s_4xb2-40k_cityscapes-512x1024', '', BLOCKS, 64),
    'SegFormer': (
        'mmseg',
        'segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512',
        '',
        LEVELS,
        64,
    ),
    'PIDNet': ('mmseg', 'pidnet/pidnet-s_2xb6-120k_1024x1024-cityscapes', '', BLOCKS, 64),
    'UNet': ('mmseg', 'unet/unet-s5-d16_fcn_4xb4-40k_drive-64x64', '', BLOCKS, 64),
    'CascadeEncoderDecoder': (
        'mmseg',
        'ocrnet/ocrnet_hr18s_4xb2-40k_cityscapes-512x1024',
        '',
        BLOCKS,
        64,
    ),
}


def write_config(folder: Path, family: str) -> tuple[Path, int]:
    """Writes a user's config of a family into a folder; returns it and the size of image that it is tried with."""
    library, name, small, where, size = FAMILIES[family]
    base = Path(find_spec(library).origin).parent / '.mim' / 'configs' / f'{name}.py'
    path = folder / 'config.py'
    path.write_text(f"""
_base_ = {str(base)!r}
host = {{{{_base_.model.backbone.type}}}}
se = dict(type='attn_plugins.SE')
model = dict({small + ', ' if small else ''}backbone=dict(
    type='attn_plugins.Plugged', host=host, plugins=[dict(cfg=se, {where})]))
""")
    return path, size
