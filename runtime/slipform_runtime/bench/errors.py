"""What ends a measurement before it has figures."""


class BenchError(Exception):
    """A message for whoever asked."""

    exit_code = 2


class Unreachable(BenchError):
    """Nobody answers at the address, or not with what was asked."""

    exit_code = 3
