"""YAML with places: YAML 1.2's values, and where each stands; anything else is one clear error."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipform.spec.document import read
from slipform.spec.findings import InvalidSpec


def document(tmp_path: Path, text: str) -> Any:
    file = tmp_path / "a.yaml"
    file.write_text(text, encoding="utf-8")
    return read(file)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("on", "on"), ("yes", "yes"), ("1:30", "1:30"), ("2026-11-21", "2026-11-21"), ("0x10", 16), ("0o17", 15),
        ("017", 17), ("1_000", "1_000"), ("true", True), ("null", None), ("~", None), ("'3'", "3"), ("3", 3),
        ("3.0", 3.0), ("1e3", 1000.0), ("-.5", -0.5), (".inf", float("inf")), ("'on'", "on"), ("", None),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(tmp_path: Path, written: str, value: object) -> None:
    got = document(tmp_path, f"a: {written}\n").data["a"]
    assert got == value
    assert type(got) is type(value)


def test_each_value_and_key_has_its_place(tmp_path: Path) -> None:
    made = document(tmp_path, "a: 1\nb:\n  c: [x, {d: 2}]\n")
    assert str(made.location(("b", "c", 1, "d"))).endswith(":3:14")
    assert str(made.location(("b", "c"), key=True)).endswith(":3:3")
    assert str(made.location(("b", "missing"))).endswith(":2:1")


def test_aliases_are_followed(tmp_path: Path) -> None:
    assert document(tmp_path, "a: &x {b: 1}\nc: *x\n").data == {"a": {"b": 1}, "c": {"b": 1}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x {b: 1}\nc: {<<: *x}\n", "a merge key"),
        ("a: &x [*x]\n", "nested more than 50 levels deep"),
        ("a: " + "[" * 60 + "]" * 60 + "\n", "nested more than 50 levels deep"),
        ("[1, 2]: 3\n", "a key that is not a text"),
        ("a: !!binary aGVsbG8=\n", "a tag, tag:yaml.org,2002:binary"),
        ("a: !custom {b: 1}\n", "a tag, !custom"),
        ("a: 1\n---\nb: 2\n", "not YAML"),
        ("a: *nowhere\n", "not YAML"),
        ("a: 1\na: 2\n", "a is given twice"),
        ("a: \x01\n", "not YAML"),
    ],
)
def test_what_a_spec_cannot_hold_is_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        document(tmp_path, text)
    (finding,) = refused.value.findings
    assert finding.message.startswith(message)
    assert finding.location is not None


@pytest.mark.parametrize(
    ("text", "line", "remedy"),
    [
        ("name: iris\nteam:botany\nmodel: x\n", 2, "write a blank after the colon, as in name: value"),
        ("name: iris\nteam: 'botany\nmodel: x\n", 2, "close the quotes that begin here"),
        ("a:\n  b: c\n    d: e\n", 3, "indent it like the fields beside it; a text that holds ': ' needs quotes"),
        ("a: {b: 1\nc: 2\n", 2, "close the bracket, or write the comma that is missing; it begins in line 1"),
        ("a: 1\n---\nb: 2\n", 2, "one spec a file: move what follows --- into its own"),
        ("a: @b\n", 1, "put quotes around a text that begins with @, ` or %"),
    ],
)  # fmt: skip
def test_what_is_no_yaml_is_shown_where_it_begins_with_what_to_do(
    tmp_path: Path, text: str, line: int, remedy: str
) -> None:
    with pytest.raises(InvalidSpec) as refused:
        document(tmp_path, text)
    (found,) = refused.value.findings
    assert found.location is not None
    assert (found.location.line, found.remedy) == (line, remedy)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").mkdir()
    with pytest.raises(InvalidSpec, match="a folder, and not a file"):
        read(tmp_path / "a.yaml")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.yaml")
    with pytest.raises(InvalidSpec, match="not a regular file"):
        read(tmp_path / "a.yaml")


def test_a_file_that_is_not_there_is_an_error_without_traceback(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match="can't be read"):
        read(tmp_path / "none.yaml")


TEXT = st.text(st.characters(exclude_categories=["C"]), max_size=8)
KEY = TEXT.filter(bool)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEY, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(KEY, PLAIN, max_size=4))
def test_what_is_written_as_json_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any]
) -> None:
    file = tmp_path_factory.getbasetemp() / "generated.yaml"
    file.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    assert read(file).data == data


@given(st.binary(max_size=300))
def test_any_bytes_are_a_document_or_one_readable_error(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "bytes.yaml"
    file.write_bytes(raw)
    try:
        document = read(file)
    except InvalidSpec as invalid:
        messages = [finding.message for finding in invalid.findings]
    else:
        messages = [f"read {document.file}"]
    assert all(messages)
