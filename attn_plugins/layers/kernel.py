"""Kernel sizes inside layers, refused when they have no centre."""


def odd(kernel_size: int, name: str = 'kernel_size') -> int:
    """Gives the kernel size back if it is odd and positive.

    Raises:
        ValueError: It is not; the message says what would work.
    """
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f'{name}={kernel_size} must be odd and positive: try {max(1, kernel_size + 1)}')
    return kernel_size
