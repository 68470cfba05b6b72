# As digitscenes64_6e.py with eight epochs, at a smaller rate.
_base_ = './digitscenes64_6e.py'
max_epochs = 8
optim_wrapper = dict(optimizer=dict(lr=0.012))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.04, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR', by_epoch=True, begin=1, T_max=6, end=7, eta_min_ratio=0.002, convert_to_iter_based=True)
]
train_cfg = dict(max_epochs=max_epochs)
