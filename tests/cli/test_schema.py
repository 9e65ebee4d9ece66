"""``slipform schema``: written once, checked ever after."""

from __future__ import annotations

from pathlib import Path

from .conftest import Run


def test_a_stale_schema_is_a_finding(slipform: Run, project: Path) -> None:
    file = project / "model_specs" / ".schema.json"
    assert slipform("schema", "--check").returncode == 0
    file.write_text("{}", encoding="utf-8")
    stale = slipform("schema", "--check")
    assert (stale.returncode, file.read_text(encoding="utf-8")) == (1, "{}")
    assert "stale" in stale.stderr
    assert slipform("schema").returncode == 0
    assert slipform("schema", "--check").returncode == 0


def test_it_can_go_to_standard_output(slipform: Run) -> None:
    assert slipform("schema", "-o", "-").stdout.startswith("{")
