"""Engines by name: those that are installed, and those that are planned."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from ..spec.findings import SlipformError, did_you_mean
from .base import Engine

GROUP = "slipform.engines"
PLANNED = ("torchserve", "tfserving", "bentoml", "mlflow", "seldon", "kserve")


@cache
def _installed() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name)}


def names() -> tuple[str, ...]:
    """The engines that can be chosen, without importing them."""
    return tuple(_installed())


@cache
def engine(name: str) -> Engine:
    """The engine of that name. Raises UnknownEngine, and SlipformError for one that can't be used."""
    entry = _installed().get(name)
    if entry is None:
        raise UnknownEngine(name)
    try:
        kind = entry.load()
    except (ImportError, AttributeError) as problem:
        raise SlipformError(f"entry point {GROUP}:{name} ({entry.value}) can't be loaded: {problem}") from problem
    if not (isinstance(kind, type) and issubclass(kind, Engine)):
        raise SlipformError(f"entry point {GROUP}:{name} is no slipform.engines.base.Engine, but {kind!r}")
    if missing := sorted(getattr(kind, "__abstractmethods__", ())):
        raise SlipformError(f"entry point {GROUP}:{name} ({entry.value}) does not define {', '.join(missing)}")
    return kind()


class UnknownEngine(SlipformError):
    """No such engine is installed."""

    def __init__(self, name: str) -> None:
        self.allowed = ", ".join(names())
        self.planned = name in PLANNED
        self.remedy = None if self.planned else did_you_mean(name, (*names(), *PLANNED))
        super().__init__(f"engine {name!r} is {'planned, but not there yet' if self.planned else 'unknown'}")
