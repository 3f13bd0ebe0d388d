"""The ways in which a property of a potential may not exist; both are results, to be counted and shown."""

from uqbench.errors import UqbenchError


class UnstableError(UqbenchError):
    """The crystal or defect is not a minimum of this potential."""


class NotConvergedError(UqbenchError):
    """A relaxation ended before its tolerance; the message gives the last force."""
