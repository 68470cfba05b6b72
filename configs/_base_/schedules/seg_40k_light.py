# As seg_40k.py with the weight decay of the Coordinate Attention experiments in segmentation, 4e-5.
_base_ = './seg_40k.py'
optim_wrapper = dict(optimizer=dict(weight_decay=4e-5))
