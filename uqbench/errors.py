"""The one error that users see: it names what was wrong, where, what was found and what to do."""


class UqbenchError(ValueError):
    """Bad input, a broken plugin or a request that cannot be met; the message says what to do."""
