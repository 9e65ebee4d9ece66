"""What ends a command."""


class CommandError(Exception):
    """Its text is for whoever gave the command, its exit code for scripts."""

    exit_code = 2
