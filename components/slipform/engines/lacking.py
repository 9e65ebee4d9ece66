"""What a spec asks for and an engine does not have, each with what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..spec.findings import FieldPath, Finding
from ..spec.modelspec import ModelSpec


@dataclass(frozen=True)
class Feature:
    """A field that only some engines know: what it is, and what to do without."""

    path: FieldPath
    what: str
    remedy: str


ENSEMBLES = Feature(
    ("model", "ensemble"), "ensembles of models", "write engine: triton, or call the models one after the other"
)
CACHE = Feature(("serving", "cache"), "cache of answers", "remove it, or write engine: triton or fastapi")
CUDA_GRAPHS = Feature(("serving", "cuda_graphs"), "CUDA graphs", "remove it, or write engine: triton")
HANDLER = Feature(
    ("serving", "handler"), "handlers", "remove it, or write engine: fastapi; or put the processing into the model"
)
PREFERRED = Feature(
    ("serving", "batching", "preferred_batch_sizes"),
    "preferred batch sizes: a batch goes when it is full, or when its oldest request has waited long enough",
    "remove it: max_batch_size and max_queue_delay say as much",
)
QUEUE_TIMEOUT = Feature(
    ("serving", "batching", "queue_timeout"),
    "limit on the time in its queue",
    "remove it: traffic.timeout ends a request, and max_queue_size bounds how many wait",
)


def problems(spec: ModelSpec, title: str, features: tuple[Feature, ...]) -> Iterator[Finding]:
    """One error for each of the features that the spec asks for."""
    for feature in features:
        value: object = spec
        for part in feature.path:
            value = getattr(value, str(part))
        if value:
            yield Finding(
                f"{title} has no {feature.what}", path=feature.path, given=_short(value), remedy=feature.remedy
            )


def _short(value: object) -> str | None:
    """The value where it says something in a line."""
    if isinstance(value, tuple):
        return str(list(value)) if all(isinstance(one, int) for one in value) else None
    return str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, str) else None
