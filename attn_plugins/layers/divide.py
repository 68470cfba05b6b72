"""Group counts that must divide the channels, refused with the nearest that do."""


def check_divides(option: str, groups: int, in_channels: int) -> None:
    """Nothing if `groups` divides `in_channels`.

    Raises:
        ValueError: It does not; the message names the nearest that do.
    """
    if groups >= 1 and in_channels % groups == 0:
        return
    divisors = [n for n in range(1, in_channels + 1) if in_channels % n == 0]
    near = sorted(sorted(divisors, key=lambda n: abs(n - groups))[:2])
    raise ValueError(
        f'{option}={groups} does not divide in_channels={in_channels}: try {" or ".join(map(str, near))}'
    )
