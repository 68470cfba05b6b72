"""The option `variant`, for methods whose authors' code and paper disagree."""


def follows_code(variant: str) -> bool:
    """True for 'code', False for 'paper'.

    Raises:
        ValueError: It is neither.
    """
    if variant not in ('code', 'paper'):
        raise ValueError(f"variant={variant!r} must be 'code' or 'paper'")
    return variant == 'code'
