"""The errors of this package: what a user can put right, in one sentence that says what is wrong and what to do."""


class UserError(Exception):
    """What a user can put right. The command lines print it as one line, without a traceback."""


class Diverged(UserError):
    """A training whose loss is no number any more."""


class InsertionError(UserError, ValueError):
    """A layer cannot be put where the config says: unknown word, no match, or channels that do not fit."""


class PassedBy(UserError, ValueError, AttributeError):
    """Something would be computed with a wrapped module that leaves out what its wrapper adds."""
