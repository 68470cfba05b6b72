"""What losses of two maps ask of them, and how the teacher's is brought to the student's size."""

import torch.nn.functional as F
from torch import Tensor


def check_feature_maps(student: Tensor, teacher: Tensor) -> None:
    """Both must be maps of the same images.

    Raises:
        ValueError: They are not (N, C, H, W) with the same N.
    """
    if student.dim() != 4 or teacher.dim() != 4 or len(student) != len(teacher):
        raise ValueError(
            f'features must be (N, C, H, W) with as many samples of the student as of the teacher, and are '
            f'{tuple(student.shape)} and {tuple(teacher.shape)}: choose a pair of layers that give maps'
        )


def as_large_as(student: Tensor, teacher: Tensor) -> Tensor:
    """The teacher's (N, C, h, w) at the student's size, bilinearly.

    It is the teacher's that changes, as nothing is differentiated by it: so each place of the student has a target of
    its own, and no gradient that an interpolation has mixed with its neighbours'."""
    if teacher.shape[2:] == student.shape[2:]:
        return teacher
    return F.interpolate(teacher, size=student.shape[2:], mode='bilinear', align_corners=False)
