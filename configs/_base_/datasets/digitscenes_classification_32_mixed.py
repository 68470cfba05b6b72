# As digitscenes_classification_32.py, with k images of another distribution added to each training batch. The model is an
# attn_plugins.MixedDataClassifier. A suite sets train_dataloader.batch_sampler.foreign (k; 0 is the plain training) and
# train_dataloader.dataset.foreign.kind (digits, photographs, noise).
_base_ = './digitscenes_classification_32.py'
train_dataloader = dict(
    batch_sampler=dict(type='attn_plugins.MixedBatchSampler', foreign=8),
    dataset=dict(
        _delete_=True,
        type='attn_plugins.MixedDataset',
        dataset={{_base_.train_dataloader.dataset}},
        foreign=dict(
            type='attn_plugins.ForeignImages', kind='digits', size=32, number=1000, pipeline=[dict(type='PackInputs')])))
