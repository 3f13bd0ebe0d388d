"""The one error that users see: it names what was wrong, where, what was found and what to do; and the one warning."""


class UqbenchError(ValueError):
    """Bad input, a broken plugin or a request that cannot be met; the message says what to do."""


class UqbenchWarning(UserWarning):
    """What went on in spite of something, and a user wants to know; a run shows it."""
