# CIFAR-100 with k images of MNIST added to each training batch, padded to 32 x 32 pixels, the one channel three times. k is
# not published: train_dataloader.batch_sampler.foreign (0 is the plain training). The model is an
# attn_plugins.MixedDataClassifier.
_base_ = './cifar100.py'
foreign_pipeline = [
    dict(type='NumpyToPIL'),
    dict(type='torchvision/Pad', padding=2),
    dict(type='torchvision/Grayscale', num_output_channels=3),
    dict(type='PILToNumpy'),
    dict(type='PackInputs')
]
train_dataloader = dict(
    batch_sampler=dict(type='attn_plugins.MixedBatchSampler', foreign=32),
    dataset=dict(
        _delete_=True,
        type='attn_plugins.MixedDataset',
        dataset={{_base_.train_dataloader.dataset}},
        foreign=dict(
            type='MNIST', data_root='data/mnist', split='train', download=False, pipeline=foreign_pipeline)))
