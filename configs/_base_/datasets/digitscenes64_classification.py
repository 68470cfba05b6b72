# The crops of DigitScenes of 64 x 64 pixels, at 32 x 32 pixels.
_base_ = './digitscenes_classification_32.py'
data_root = 'data/digit_scenes_900_160_64px/classes/'
train_dataloader = dict(batch_size=32, dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = dict(dataset=dict(data_root=data_root))
