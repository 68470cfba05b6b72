# 200 epochs of SGD, cosine from 0.05, batch 256: how Coordinate Attention was trained on ImageNet. No label smoothing, random
# augmentation, erasing or mixup (README of github.com/houqb/CoordAttention, commit 7619bea).
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.05, momentum=0.9, weight_decay=4e-5))
param_scheduler = dict(type='CosineAnnealingLR', by_epoch=True, begin=0, T_max=200, end=200, convert_to_iter_based=True)
train_cfg = dict(by_epoch=True, max_epochs=200, val_interval=1)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(enable=False, base_batch_size=256)
