"""Batch norms of descriptors, which have one value per sample and channel: in training they need more than one sample."""

from torch import Tensor, nn


def check_batch(descriptor: Tensor, norm: nn.Module) -> None:
    """Refuses a batch of one for a batch norm in training. (SyncBN takes the samples of all processes together.)

    Raises:
        ValueError: The message quotes the shape and says what would work.
    """
    # torch.fx hands over a stand-in without a shape.
    if not isinstance(descriptor, Tensor):
        return
    if norm.training and isinstance(norm, nn.BatchNorm1d) and len(descriptor) == 1:
        raise ValueError(
            f'a batch norm of descriptors cannot be trained with one sample, and is given {tuple(descriptor.shape)}: '
            'train with at least 2 samples per process, or with SyncBN'
        )
