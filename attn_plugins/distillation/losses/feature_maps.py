"""Checks the two maps that a loss compares, and resizes the teacher's map to the student's size."""

import torch.nn.functional as F
from torch import Tensor


def check_feature_maps(student: Tensor, teacher: Tensor) -> None:
    """Refuses features that are not maps of the same images.

    Raises:
        ValueError: They are not (N, C, H, W) with the same N.
    """
    if student.dim() != 4 or teacher.dim() != 4 or len(student) != len(teacher):
        raise ValueError(
            f'features must be (N, C, H, W) with as many samples of the student as of the teacher, and are '
            f'{tuple(student.shape)} and {tuple(teacher.shape)}: choose a pair of layers that give maps'
        )


def as_large_as(student: Tensor, teacher: Tensor) -> Tensor:
    """Resizes the teacher's (N, C, h, w) to the student's size, bilinearly.

    The teacher's map is resized because it is not differentiated. So each place of the student has its own target, and
    its gradient is not mixed with that of its neighbours by an interpolation.
    """
    if teacher.shape[2:] == student.shape[2:]:
        return teacher
    return F.interpolate(teacher, size=student.shape[2:], mode='bilinear', align_corners=False)
