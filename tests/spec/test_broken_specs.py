"""What is printed for each broken spec in project/broken: the text beside it, to the letter.

After a change that is meant: SLIPFORM_WRITE=1 pytest tests/spec/test_broken_specs.py, and read the difference.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from slipform.project import check
from slipform.spec.findings import describe, errors

PROJECT = Path(__file__).parent / "project"
BROKEN = sorted((PROJECT / "broken").glob("*.yaml"))


def printed(file: Path) -> str:
    first = file.read_bytes().split(b"\n")[0].decode(errors="replace")
    stack = first.removeprefix("# stack: ") if first.startswith("# stack: ") else None
    findings = check(PROJECT, [file], stack)
    assert errors(findings), f"{file.name} is accepted"
    return "\n".join(describe(finding) for finding in findings) + "\n"


@pytest.mark.parametrize("file", BROKEN, ids=lambda file: file.stem)
def test_a_broken_spec_is_refused_with_where_what_and_what_to_do(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    expected = file.with_suffix(".txt")
    text = printed(file)
    if os.environ.get("SLIPFORM_WRITE"):
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")


def test_a_file_of_ten_megabytes_is_answered_with_one_clear_error(tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    file.write_text("slipform: v1\n" + "# filler\n" * 1_200_000, encoding="utf-8")
    findings = check(PROJECT, [file])
    assert [finding.message for finding in findings] == ["larger than 1 MiB"]
