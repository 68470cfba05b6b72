# SSDLite320 on VOC: 60,000 steps of SGD, 0.004, a tenth after 40,000 and 50,000, warm-up of 1000 steps, batch 96.
# Andrew-Qibin/ssdlite-pytorch-mobilenext, commit 6219e33, writes rate 0.001 and 240,000 steps; its train.py multiplies the
# one by the number of GPUs and divides the other by it, and its run.sh takes 4 GPUs, of 24 images each.
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.004, momentum=0.9, weight_decay=5e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1333, by_epoch=False, begin=0, end=1000),
    dict(type='MultiStepLR', by_epoch=False, begin=0, end=60000, milestones=[40000, 50000], gamma=0.1)
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=60000, val_interval=10000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=96)
