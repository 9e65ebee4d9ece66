"""A stack's differences: mappings merge, lists and scalars replace, and every value keeps the place it came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from slipform.spec.document import Document, read
from slipform.spec.merging import overlay


def merged(tmp_path: Path, text: str, stack: str = "prod") -> tuple[Document, Any]:
    file = tmp_path / "spec.yaml"
    file.write_text(text, encoding="utf-8")
    document, overlaid = overlay(read(file), stack)
    return document, overlaid


@pytest.mark.parametrize(
    ("base", "over", "result"),
    [
        ("scaling: {min: 2, max: 4}", "scaling: {max: 50}", {"min": 2, "max": 50}),
        ("scaling: {min_replicas: 2}", "scaling: null", None),
        ("scaling: [1, 2]", "scaling: [3]", [3]),
        ("scaling: 1", "scaling: {a: 2}", {"a": 2}),
    ],
)  # fmt: skip
def test_mappings_merge_and_the_rest_replaces(tmp_path: Path, base: str, over: str, result: object) -> None:
    document, _ = merged(tmp_path, f"{base}\nstacks: {{prod: {{{over}}}}}\n")
    assert document.data["scaling"] == result


@pytest.mark.parametrize(
    ("base", "over", "result"),
    [
        (
            "rollout: {strategy: canary, candidate: {version: 4}, weight: 10}",
            "rollout: {strategy: shadow, candidate: {version: 4}}",
            {"strategy": "shadow", "candidate": {"version": 4}},
        ),
        (
            "nodes: {provisioner: eks, instance_types: [g6.xlarge]}",
            "nodes: {pool: gpu-l4}",
            {"pool": "gpu-l4"},
        ),
        (
            "nodes: {pool: gpu-l4}",
            "nodes: {provisioner: existing, labels: {a: b}}",
            {"provisioner": "existing", "labels": {"a": "b"}},
        ),
        (
            "nodes: {provisioner: eks, instance_types: [g6.xlarge], max_nodes: 3}",
            "nodes: {max_nodes: 9}",
            {"provisioner": "eks", "instance_types": ["g6.xlarge"], "max_nodes": 9},
        ),
    ],
)
def test_a_part_that_becomes_another_kind_replaces(tmp_path: Path, base: str, over: str, result: object) -> None:
    document, _ = merged(tmp_path, f"{base}\nstacks: {{prod: {{{over}}}}}\n")
    assert document.data[base.partition(":")[0]] == result


def test_a_value_of_the_stack_has_the_place_where_the_stack_says_it(tmp_path: Path) -> None:
    text = "scaling:\n  min_replicas: 2\nstacks:\n  prod:\n    scaling: {max_replicas: 50}\n"
    document, overlaid = merged(tmp_path, text)
    assert document.location(("scaling", "max_replicas")).line == 5
    assert document.location(("scaling", "min_replicas")).line == 2
    assert overlaid == {("scaling", "max_replicas")}


def test_another_stack_changes_nothing(tmp_path: Path) -> None:
    document, overlaid = merged(tmp_path, "a: 1\nstacks: {prod: {a: 2}}\n", stack="dev")
    assert document.data["a"] == 1
    assert not overlaid
