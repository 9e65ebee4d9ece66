"""An ensemble and its steps, before a server refuses to start with them."""

from __future__ import annotations

from typing import Any

import pytest

from slipform.review.servers import problems
from slipform.spec.modelspec import ModelSpec

from ..builders import model_spec


def spec(name: str, max_batch_size: int, **model: Any) -> ModelSpec:
    batching = {"max_batch_size": max_batch_size}
    return model_spec(name=name, model=model, serving={"server": "vision", "batching": batching})


@pytest.mark.parametrize(
    ("ensemble", "step", "allowed"),
    [(32, 16, "at most 16"), (1, 0, "at most 0"), (16, 16, None), (8, 16, None), (0, 16, None)],
)
def test_an_ensembles_batches_are_within_those_of_its_steps(ensemble: int, step: int, allowed: str | None) -> None:
    steps = [{"model": "classifier", "inputs": {"image": "image"}, "outputs": {"probs": "probs"}}]
    whole = spec("pipeline", ensemble, ensemble=steps, format=..., uri=..., sha256=...)
    found = [one for one in problems([spec("classifier", step), whole]) if one.field.endswith("max_batch_size")]

    assert [one.allowed for one in found] == ([allowed] if allowed else [])
