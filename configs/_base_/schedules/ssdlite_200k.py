# SSDLite320 on COCO: 200,000 steps of SGD, cosine from 0.08, warm-up of 500 steps from a third of it, batch 256.
# The authors write learning rate 0.01 and 1.6 M iterations; their train.py multiplies the one by the number of GPUs
# and divides the other by it, and 8 GPUs of 32 images are the batch of 256 that they state.
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.08, momentum=0.9, weight_decay=4e-5))
param_scheduler = [
    dict(type='LinearLR', start_factor=1 / 3, by_epoch=False, begin=0, end=500),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=0, T_max=200000, end=200000)
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=200000, val_interval=10000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=256)
sync_bn = 'torch'
