# Eight epochs of AdamW: one cycle in the first seven, the eighth at a five-hundredth of the rate, where a score that has
# converged stands still. Validations show it.
max_epochs = 8
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=0.012, weight_decay=0.05, foreach=True))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.04, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR', by_epoch=True, begin=1, T_max=6, end=7, eta_min_ratio=0.002, convert_to_iter_based=True)
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
custom_hooks = [dict(type='attn_plugins.ChannelsLastHook'), dict(type='attn_plugins.InMemoryHook')]
