"""Names and addresses that two servers would share."""

from __future__ import annotations

import pytest

from slipform.review import names

from ..builders import model_spec


@pytest.mark.parametrize("other", [f"resnet50-{word}" for word in names.APPENDED])
def test_a_server_that_is_named_like_anothers_object_is_refused(other: str) -> None:
    ((spec, finding),) = names.problems([model_spec(), model_spec(name=other)])
    assert (spec.name, finding.path) == (other, ("name",))


def test_the_same_ending_without_the_other_server_is_fine() -> None:
    assert list(names.problems([model_spec(name="other"), model_spec(name="resnet50-http")])) == []


def test_an_address_belongs_to_one_server() -> None:
    expose = {"host": "a.example.com", "auth": "none"}
    ((spec, finding),) = names.problems([model_spec(name="b", expose=expose), model_spec(name="a", expose=expose)])
    assert (spec.name, finding.message) == ("b", "a has this address already")
