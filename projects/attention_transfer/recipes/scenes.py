# As cub.py on MIT's 67 indoor scenes (paper, table 4), in folders of classes:
# data/indoor_scenes/{train,test}/<class>, sorted by the lists TrainImages.txt and TestImages.txt. Published: 27.1 %
# error, 28.2 alone, 26 of the teacher.
_base_ = './cub.py'
head = dict(num_classes=67)
model = dict(
    student=dict(head=head),
    teacher=dict(head=head, init_cfg=dict(checkpoint='work_dirs/scenes_r34/epoch_60.pth')),
)
data_preprocessor = dict(num_classes=67)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='CustomDataset',
        data_root='data/indoor_scenes',
        data_prefix='train',
        pipeline={{_base_.train_pipeline}},
    )
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='CustomDataset',
        data_root='data/indoor_scenes',
        data_prefix='test',
        pipeline={{_base_.test_pipeline}},
    )
)
test_dataloader = val_dataloader
