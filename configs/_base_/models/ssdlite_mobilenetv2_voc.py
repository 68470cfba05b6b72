# SSDLite320 on MobileNetV2 for the 20 classes of VOC: softmax with hard negatives, larger priors, six at every place
# (Andrew-Qibin/ssdlite-pytorch-mobilenext, commit 6219e33, configs/mobilenet_v2_ssd320_voc0712.yaml).
_base_ = './ssdlite_mobilenetv2.py'
model = dict(
    bbox_head=dict(
        num_classes=20,
        loss_cls=dict(_delete_=True, type='mmdet.CrossEntropyLoss'),
        background_output=False,
        anchor_generator=dict(
            ratios=[[2, 3], [2, 3], [2, 3], [2, 3], [2, 3], [2, 3]],
            max_sizes=[120, 180, 220, 260, 300, 320])),
    test_cfg=dict(score_thr=0.01, nms=dict(iou_threshold=0.45)))
