"""The protocol layer under any bytes. A longer run: `python -m runtime_testing.fuzzing --seconds 600`."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from runtime_testing.fuzzing.__main__ import NAMES
from runtime_testing.fuzzing.targets import TARGETS

RUNS = 2000


def test_every_target_can_be_named() -> None:
    assert tuple(TARGETS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_what_it_begins_with_is_read(name: str) -> None:
    target, seeds = TARGETS[name]
    for seed in seeds():
        target(seed)


@pytest.mark.skipif(find_spec("atheris") is None, reason="needs atheris")
@pytest.mark.parametrize("name", NAMES)
def test_no_bytes_are_the_servers_fault_or_mean_two_things(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "runtime_testing.fuzzing", name, f"--runs={RUNS}", "--seed=1"]
    ended = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
