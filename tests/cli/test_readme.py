"""What the README prints is what the commands print."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .conftest import ROOT, Run

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str = "") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def parts(line: str) -> list[str]:
    """What a line of a tree says, without its branches and without digests, which change with each release."""
    return [part for part in re.split(r"^[├└─│ ]+| {2,}| · |, |…", line) if part]


@pytest.fixture
def iris(project: Path) -> Path:
    return project / "model_specs" / "iris.yaml"


def test_the_first_spec_becomes_the_tree_beside_it(slipform: Run, iris: Path) -> None:
    (spec,) = blocks("yaml")
    (shown,) = (block for block in blocks() if block.startswith("ModelService iris"))
    iris.write_text(spec, encoding="utf-8")
    done = slipform("plan", "model_specs/iris.yaml", "-s", "prod", COLUMNS="250")
    assert done.returncode == 0, done.stderr
    tree, _, _ = done.stdout[done.stdout.index("ModelService iris") :].partition("Shared platform")
    planned = tree.splitlines()[:-1]
    assert len(shown.splitlines()) == len(planned)
    for line, whole in zip(shown.splitlines(), planned, strict=True):
        assert all(part in whole for part in parts(line)), whole


def test_the_mistakes_are_told_as_shown(slipform: Run, iris: Path) -> None:
    (shown,) = (block for block in blocks() if block.startswith("$ slipform validate"))
    text = iris.read_text(encoding="utf-8")
    for right, wrong in (("max_queue_delay: 1ms", "prefered_batch_sizes: [8]"), ("memory: 512Mi", "memory: 512MB")):
        assert text.count(right) == 1
        text = text.replace(right, wrong)
    iris.write_text(text, encoding="utf-8")
    done = slipform("validate", "model_specs/iris.yaml")
    assert done.returncode == 2
    assert done.stdout.splitlines()[:-1] == shown.splitlines()[1:]
