# DigitScenes of 64 x 64 pixels as Cityscapes-style masks.
_base_ = './digitscenes_segmentation.py'
data_root = 'data/digit_scenes_900_160_64px/cityscapes/'
train_dataloader = dict(batch_size=8, dataset=dict(data_root=data_root))
val_dataloader = dict(batch_size=80, dataset=dict(data_root=data_root))
test_dataloader = dict(batch_size=80, dataset=dict(data_root=data_root))
