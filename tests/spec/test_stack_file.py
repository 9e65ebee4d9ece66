"""A stack's file: what is meant for Slipform, and stands where nobody reads it, is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipform.spec.document import parse
from slipform.stack_file import misplaced, part_of_ours

CLUSTER = "slipform:cluster: {context: prod}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"config:\n  {CLUSTER}\n  aws:region: eu-west-1\n  region: here\n", None),
        ("", None),
        ("config:\n", None),
        (f"{CLUSTER}\n", (1, "error", "indent it below config:, as slipform:cluster")),
        ("config: []\n", (1, "error", None)),
        (f"config:\n  {CLUSTER}\n  slipfrom:has: []\n", (3, "warning", "did you mean slipform:has?")),
    ],
)
def test_what_pulumi_would_take_for_anothers_is_found(text: str, expected: object) -> None:
    found = [*misplaced(parse(text, Path("Pulumi.prod.yaml")))]
    assert [(each.location.line, each.severity, each.remedy) for each in found if each.location] == (
        [expected] if expected else []
    )


def test_the_part_of_ours_keeps_its_places() -> None:
    ours = part_of_ours(parse(f'config:\n  {CLUSTER}\n  slipform:protected: "true"\n', Path("a.yaml")))
    assert ours.data == {"cluster": {"context": "prod"}, "protected": True}
    assert str(ours.location(("cluster", "context"))) == "a.yaml:2:31"
