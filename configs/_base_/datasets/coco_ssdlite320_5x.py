# As coco_ssdlite320.py, five passes over the images in an epoch. Batch 24 per GPU.
_base_ = './coco_ssdlite320.py'
train_dataloader = dict(
    batch_size=24,
    sampler=dict(_delete_=True, type='DefaultSampler', shuffle=True),
    dataset=dict(_delete_=True, type='RepeatDataset', times=5, dataset={{_base_.train_dataloader.dataset}}))
