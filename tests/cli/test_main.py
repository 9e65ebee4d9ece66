"""The command itself: its version, its help, and what every command has."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from slipform import __version__
from slipform.cli.app import COMMANDS
from slipform.cli.main import run

from .conftest import SLIPFORM, Run


def test_the_version_needs_no_command(slipform: Run) -> None:
    done = slipform("--version")
    assert (done.returncode, done.stdout) == (0, f"slipform {__version__}\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_an_example(slipform: Run, command: str) -> None:
    done = slipform(command, "--help")
    assert (done.returncode, "...]..." in done.stdout) == (0, False)
    assert f"slipform {command} " in done.stdout.partition("Examples:")[2]


def test_a_command_that_does_not_exist_ends_with_2(slipform: Run) -> None:
    assert slipform("pinn").returncode == 2


def test_a_misspelt_command_is_named_rightly(slipform: Run) -> None:
    assert "Did you mean 'plan'" in slipform("plna").stderr


@pytest.mark.parametrize("command", ["plan -s dev", "validate -s prod", "schema -o -"])
def test_a_reader_that_has_seen_enough_is_no_failure(project: Path, command: str) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*SLIPFORM, *command.split()], cwd=project, stdout=write, stderr=subprocess.PIPE, text=True, timeout=120
    )
    os.close(write)
    assert (done.returncode, "Error" in done.stderr) == (0, False), done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("command", ["plan -s dev", "validate"])
def test_a_full_disk_is_said_in_a_line(project: Path, command: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*SLIPFORM, *command.split()], cwd=project, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120
        )
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, "slipform: No space left on device")


def test_an_interrupt_ends_quietly_whatever_it_was_made_into(monkeypatch: pytest.MonkeyPatch) -> None:
    def importing() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise ImportError("numpy.core failed to import") from None

    monkeypatch.setattr("slipform.cli.main._run", importing)
    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(SystemExit) as ended:
            run()
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended.value.code == 130


def test_lines_of_a_log_are_not_broken(slipform: Run) -> None:
    lines = slipform("plan", "-s", "prod", COLUMNS=None).stdout.splitlines()
    assert [line for line in lines if "ConfigMap" in line and "runtime.json" in line and ".config.pbtxt" in line]
    assert not [line for line in lines if line.strip(" │").startswith("repository.json")]


def test_lines_are_as_long_as_columns_says(slipform: Run) -> None:
    assert max(map(len, slipform("plan", "-s", "dev", COLUMNS="60").stdout.splitlines())) <= 60
