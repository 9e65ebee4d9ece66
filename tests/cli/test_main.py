"""The command itself: its version, its help, and what every command has."""

from __future__ import annotations

import pytest

from slipform import __version__

from .conftest import Run


def test_the_version_needs_no_command(slipform: Run) -> None:
    done = slipform("--version")
    assert (done.returncode, done.stdout) == (0, f"slipform {__version__}\n")


@pytest.mark.parametrize("command", ["pin", "rollback", "doctor"])
def test_each_command_has_help_with_an_example(slipform: Run, command: str) -> None:
    done = slipform(command, "--help")
    assert done.returncode == 0
    assert f"slipform {command} " in done.stdout.partition("Examples:")[2]


def test_a_command_that_does_not_exist_ends_with_2(slipform: Run) -> None:
    assert slipform("pinn").returncode == 2
