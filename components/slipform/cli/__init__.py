"""The ``slipform`` command. Each command is a module; what is heavy is imported only where a command runs."""
