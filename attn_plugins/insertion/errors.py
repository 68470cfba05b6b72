"""The one error of insertion: a sentence that names the nearest valid choices."""


class InsertionError(ValueError):
    """A layer cannot be put where the config says: unknown word, no match, or channels that do not fit."""
