"""What ends a measurement before it has figures."""

from slipform_runtime.failures import CommandError


class BenchError(CommandError):
    """A message for whoever asked."""


class Unreachable(BenchError):
    """Nobody answers at the address, or not with what was asked."""

    exit_code = 3
