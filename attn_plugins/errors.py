"""The errors of this package that a user can put right: one sentence says what is wrong and what to do."""


class UserError(Exception):
    """An error that a user can put right. The command lines print it as one line, without a traceback."""


class Diverged(UserError):
    """The loss of a training is no longer finite."""


class InsertionError(UserError, ValueError):
    """A layer cannot be put where the config says: unknown word, no match, or channels that do not fit."""


class PassedBy(UserError, ValueError, AttributeError):
    """A computation would call a wrapped module directly and so leave out what its wrapper adds."""
