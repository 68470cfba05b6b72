"""A classifier for the mixed-data attack: foreign images affect the batch statistics, but not always the loss."""

from mmpretrain.models.classifiers import ImageClassifier
from mmpretrain.structures import DataSample
from torch import Tensor

from attn_plugins.errors import UserError
from attn_plugins.registry import MODELS


@MODELS.register_module()
class MixedDataClassifier(ImageClassifier):
    """mmpretrain's `ImageClassifier` on batches of an `attn_plugins.MixedDataset`.

    Equation:
        loss = mean of l(head(f_i), y_i) over the samples i that are `in_loss`, where the features f =
        neck(backbone(x)) are computed of the whole batch

    Foreign images go through backbone and neck, whose batch norms take their statistics from all images, and are
    removed before the head: neither the loss nor its divisor includes them. With `foreign_loss=True` of the dataset
    they stay. Testing, and training without foreign images, is `ImageClassifier`'s; so are the state-dict keys.

    Raises:
        UserError: `to_onehot` or a batch augmentation is set; or the head's number of classes differs from that of the
            dataset with `foreign_loss=True`.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if getattr(self.data_preprocessor, 'to_onehot', False):
            raise UserError(
                'MixedDataClassifier takes batches without mixup and the like, which would mix foreign images '
                'into own ones, '
                "and labels as numbers: leave the model's train_cfg and data_preprocessor.to_onehot out"
            )

    def loss(self, inputs: Tensor, data_samples: list[DataSample]) -> dict[str, Tensor]:
        """Computes the losses of a batch (N, C, H, W) over its samples that are `in_loss`."""
        classes = data_samples[0].get('num_classes')
        if classes not in (None, self.head.num_classes):
            raise UserError(
                f'the head has {self.head.num_classes} classes, and own and foreign images have {classes} '
                f'together with foreign_loss=True: set model.head.num_classes={classes}'
            )
        feats = self.extract_feat(inputs)
        kept = [i for i, sample in enumerate(data_samples) if sample.get('in_loss', True)]
        if len(kept) < len(data_samples):
            feats, data_samples = _rows(feats, kept), [data_samples[i] for i in kept]
        return self.head.loss(feats, data_samples)


def _rows(feats: Tensor | tuple | list, kept: list[int]):
    """Selects the given samples' features, which are tensors (N, ...) or tuples and lists of them."""
    if isinstance(feats, (tuple, list)):
        return type(feats)(_rows(item, kept) for item in feats)
    return feats[kept]
