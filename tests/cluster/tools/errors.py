"""The one error of this package."""


class Unavailable(Exception):
    """A tool is not here and cannot be made here; the message says what to install."""
