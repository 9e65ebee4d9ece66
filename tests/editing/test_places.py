"""Values replaced, added and removed by place: what is meant changes, every other character stays."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from slipform.editing import checked, diff_of, put, read_text, remove, replace, written
from slipform.spec.document import parse
from slipform.spec.findings import SlipformError

TEXT = """\
# Whose it is.
a: 1   # one
model:
  version: 3  # the third
  inputs:  # two
    - {name: x, shape: [3]}  # in

    - name: y
      shape: [seq]
  # about what follows
  empty:
  note: |
    hello

b: {x: 1, y: [1,
   2], z: 'q'}
"""


@pytest.mark.parametrize(
    ("path", "value", "before", "after"),
    [
        (("model", "version"), "12", "version: 3  #", "version: 12  #"),
        (("model", "empty"), "5", "empty:\n", "empty: 5\n"),
        (("model", "note"), "5", "note: |\n    hello\n", "note: 5\n"),
        (("model", "inputs"), "[]", "  # two\n    - {name: x, shape: [3]}  # in\n\n    - name: y\n      shape: [seq]\n",
         " []  # two\n"),
        (("b", "y"), "5", "y: [1,\n   2], z", "y: 5, z"),
        (("b", "y", 1), "7", "   2]", "   7]"),
        (("model", "inputs", 1, "name"), "z", "name: y", "name: z"),
    ],
)  # fmt: skip
def test_a_value_is_replaced_where_it_stands(path: Any, value: str, before: str, after: str) -> None:
    assert put(TEXT, path, value) == TEXT.replace(before, after)


@pytest.mark.parametrize(
    ("path", "after", "before", "then"),
    [
        (("model", "sha256"), "version", "# the third\n", "# the third\n  sha256: new\n"),
        (("model", "sha256"), None, "    hello\n", "    hello\n  sha256: new\n"),
        (("model", "sha256"), "inputs", "shape: [seq]\n", "shape: [seq]\n  sha256: new\n"),
        (("b", "k"), "x", "x: 1,", "x: 1, k: new,"),
        (("b", "k"), None, "'q'}", "'q', k: new}"),
        (("c",), None, "'q'}\n", "'q'}\nc: new\n"),
    ],
)
def test_a_new_key_comes_behind_the_one_that_is_named(path: Any, after: str | None, before: str, then: str) -> None:
    assert put(TEXT, path, "new", after=after) == TEXT.replace(before, then)


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        (("b", "x"), "{x: 1, ", "{"),
        (("b", "z"), "2], z: 'q'}", "2]}"),
        (("model", "version"), "  version: 3  # the third\n", ""),
        (("model", "nothing"), "", ""),
        (("nothing", "at", "all"), "", ""),
    ],
)
def test_a_key_is_removed_with_its_line(path: Any, before: str, after: str) -> None:
    assert remove(TEXT, path) == TEXT.replace(before, after, 1)


def test_a_mappings_last_key_leaves_it_empty() -> None:
    assert remove("a: {b: 1}\n", ("a", "b")) == "a: {}\n"
    assert put("a: {}\n", ("a", "b"), "1") == "a: {b: 1}\n"


def test_a_value_is_given_as_it_is_written_or_on_one_line() -> None:
    assert written(TEXT, ("b", "z")) == "'q'"
    assert written(TEXT, ("model", "inputs")) == "[{name: x, shape: [3]}, {name: y, shape: [seq]}]"
    assert written(TEXT, ("model", "note")) == '"hello\\n"'
    assert written(TEXT, ("model", "nothing")) is None


def test_windows_line_ends_and_a_byte_order_mark_stay(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes("\ufeffa: 1\r\nb: ü\r\n".encode())
    replace(file, put(put(read_text(file), ("b",), "x"), ("c",), "2"))
    assert file.read_bytes() == "\ufeffa: 1\r\nb: x\r\nc: 2\r\n".encode()


def test_a_file_without_a_last_line_end_gets_none_elsewhere() -> None:
    assert put("a: 1", ("b",), "2") == "a: 1\nb: 2"
    assert diff_of("a: 1", "a: 2", "a.yaml").count("\\ No newline at end of file") == 2


def test_a_value_that_an_alias_shares_is_refused(tmp_path: Path) -> None:
    text = "a: &x {b: 1}\nc: *x\n"
    with pytest.raises(SlipformError, match="anchors and aliases"):
        checked(put(text, ("c", "b"), "2"), {"a": {"b": 1}, "c": {"b": 2}}, tmp_path / "a.yaml")


def test_a_folder_that_cannot_be_written_is_an_error_and_a_link_stays_one(tmp_path: Path) -> None:
    with pytest.raises(SlipformError, match="can't be written"):
        replace(tmp_path / "none" / "a.yaml", "a: 1\n")
    real, link = tmp_path / "real.yaml", tmp_path / "link.yaml"
    real.write_text("a: 1\n", encoding="utf-8")
    real.chmod(0o640)
    link.symlink_to(real)
    replace(link, "a: 2\n")
    assert link.is_symlink()
    assert (real.read_text(encoding="utf-8"), real.stat().st_mode & 0o777) == ("a: 2\n", 0o640)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.yaml", "real.yaml"]


KEYS = st.sampled_from(["a", "b", "version", "x-y"])
SCALARS = st.none() | st.booleans() | st.integers(0, 99) | st.sampled_from(["text", "a: b", "# no", "two\nlines\n", ""])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4), st.sampled_from([True, False, None]), st.data(), VALUES)
def test_an_edit_says_what_was_meant_whatever_the_layout(
    data: dict[str, Any], flow: bool | None, draw: st.DataObject, value: Any
) -> None:
    """Of any document in block or flow style: either exactly the one value differs, or the edit is refused."""
    text = yaml.safe_dump(data, default_flow_style=flow, sort_keys=False)
    base = parse(text, Path("a.yaml")).data
    path: tuple[str, ...] = ()
    here = base
    while isinstance(here, dict) and here and (not path or draw.draw(st.booleans())):
        path = (*path, draw.draw(st.sampled_from([*here, "new"])))
        here = here.get(path[-1])
    new = yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("\n").removesuffix("\n...")
    wanted, without = copy.deepcopy(base), copy.deepcopy(base)
    for root, change in ((wanted, True), (without, False)):
        parent = root
        for key in path[:-1]:
            parent = parent[key]
        if change:
            parent[path[-1]] = parse(f"v: {new}", Path("a.yaml")).data["v"]
        else:
            parent.pop(path[-1], None)
    assert parse(put(text, path, new), Path("a.yaml")).data == wanted
    assert parse(remove(text, path), Path("a.yaml")).data == without
