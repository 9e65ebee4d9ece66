"""docs/own-repository.md: what it says is printed, is printed."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .environment import ROOT, Environment
from .networks import classifier

PAGE = ROOT / "docs" / "own-repository.md"


def commands() -> Iterator[tuple[str, str]]:
    """Each command of the page's console blocks, with what is printed below it."""
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, printed = part.partition("\n")
            yield command, printed


def pattern(printed: str) -> str:
    """A line of its own that is … stands for any lines, one inside a line for its rest."""
    lines = [
        r"(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*") + r"\n" for line in printed.splitlines()
    ]
    return "".join(lines)


def test_the_pages_commands_print_what_it_says(environment: Environment, tmp_path: Path) -> None:
    classifier(tmp_path / "downloads" / "tickets.onnx", ["billing", "delivery", "outage"])
    who = {f"GIT_{role}_{what}": "a@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    variables = environment.variables(COLUMNS="100", **who)
    here, seen = tmp_path, 0
    for command, printed in commands():
        if command.startswith("cd "):
            here /= command.removeprefix("cd ")
            continue
        done = subprocess.run(
            ["bash", "-c", command], cwd=here, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        shown = "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())
        assert re.fullmatch(pattern(printed), shown), f"$ {command}\n{shown}"
        seen += 1
    assert seen >= 8
