"""Tools are found where the user says, made once, and never half-made; programs die with their tests."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cluster import tools
from tests.cluster.tools import cache, found
from tests.cluster.tools.errors import Unavailable
from tests.cluster.tools.progress import Note

CACHE_SCRIPT = """
import sys, time
from pathlib import Path
from tests.cluster.tools import cache
with cache.making(Path(sys.argv[1])) as folder:
    (folder / "half").write_text("made")
    print("making", flush=True)
    time.sleep(60)
"""
CHILD_SCRIPT = """
import sys, time
from pathlib import Path
from tests.cluster import processes
log = Path(sys.argv[1]) / "log"
program = processes.start(["sh", "-c", "echo begun; exec sleep 600"], log)
processes.wait_until(lambda: bool(log.read_text()), {"log": program}, log.parent)
print(program.pid, flush=True)
time.sleep(60)
"""


class Counted:
    """A recipe that counts how often it is asked to make its tool, or fails."""

    name, version = "counted", "v1"

    def __init__(self, *, works: bool = True) -> None:
        self.works, self.made = works, 0

    def make(self, folder: Path, note: Note) -> None:
        self.made += 1
        (folder / self.name).write_text("a tool")
        if not self.works:
            raise Unavailable("the build failed")


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "tools"))
    monkeypatch.delenv(found.ASSETS, raising=False)
    return tmp_path / "tools"


def use(recipe: Counted, monkeypatch: pytest.MonkeyPatch) -> Counted:
    monkeypatch.setattr(found, "TOOLS", (recipe,))
    return recipe


@pytest.mark.parametrize("name", [recipe.name for recipe in tools.TOOLS])
def test_a_tool_in_the_assets_folder_is_taken_before_any_other(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / name
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv(found.ASSETS, str(tmp_path))
    assert tools.find(name) == program


def test_a_tool_is_made_once(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = use(Counted(), monkeypatch)
    assert tools.find("counted") is None
    assert tools.ensure("counted") == tools.ensure("counted") == tools.find("counted")
    assert recipe.made == 1


def test_a_failed_build_leaves_no_tool_behind(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(Counted(works=False), monkeypatch)
    with pytest.raises(Unavailable, match="the build failed"):
        tools.ensure("counted")
    assert tools.find("counted") is None
    assert [entry.name for entry in own_cache.iterdir() if entry.is_dir()] == []


def test_what_a_killed_build_left_is_made_anew(own_cache: Path) -> None:
    target = own_cache / "tool-v1"
    with run(CACHE_SCRIPT, target) as build:
        assert build.stdout is not None
        build.stdout.readline()
        build.kill()
    assert not target.exists()
    with cache.making(target) as folder:
        assert folder is not None
        assert list(folder.iterdir()) == []
    assert target.is_dir()


def test_no_program_outlives_a_killed_test_run(tmp_path: Path) -> None:
    with run(CHILD_SCRIPT, tmp_path) as tests:
        assert tests.stdout is not None
        program = int(tests.stdout.readline())
        tests.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while is_alive(program):
        assert time.monotonic() < deadline, "the program still runs"
        time.sleep(0.01)


def run(script: str, argument: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", script, argument], stdout=subprocess.PIPE, text=True)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
