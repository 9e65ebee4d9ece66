"""Engines by name: ours, those that other packages bring, and those that are planned."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from ..spec.findings import SlipformError, did_you_mean
from .base import Engine

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from ..spec.modelspec import ModelSpec

GROUP = "slipform.engines"
OURS = {
    "bentoml": "BentoML",
    "fastapi": "FastAPI",
    "kserve": "KServe",
    "mlflow": "MLflow",
    "tfserving": "TFServing",
    "torchserve": "TorchServe",
    "triton": "Triton",
}
"""Modules of this package, and the class in each. Other packages' engines are found by their entry points."""
PLANNED = ("seldon",)


@cache
def _installed() -> dict[str, EntryPoint]:
    """Of other packages. Every installed distribution is looked at, which a spec for an engine of ours is spared."""
    from importlib.metadata import entry_points

    found = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    return {entry.name: entry for entry in found if entry.name not in OURS}


def names() -> tuple[str, ...]:
    """The engines that can be chosen, without importing them."""
    return tuple(sorted([*OURS, *_installed()]))


@cache
def engine(name: str) -> Engine:
    """The engine of that name. Raises UnknownEngine, and SlipformError for one that can't be used."""
    if name in OURS:
        ours: type[Engine] = getattr(import_module(f".{name}", __package__), OURS[name])
        return ours()
    entry = _installed().get(name)
    if entry is None:
        raise UnknownEngine(name)
    return _of_another_package(entry)()


def runtime(spec: ModelSpec) -> Engine:
    """The engine whose server a spec's pods run: its own, or under an operator the one that the spec names."""
    return engine(spec.serving.engine).runtime(spec)


def _of_another_package(entry: EntryPoint) -> type[Engine]:
    where = f"entry point {GROUP}:{entry.name}"
    try:
        kind = entry.load()
    except (ImportError, AttributeError) as problem:
        raise SlipformError(f"{where} ({entry.value}) can't be loaded: {problem}") from problem
    if not (isinstance(kind, type) and issubclass(kind, Engine)):
        raise SlipformError(f"{where} is no slipform.engines.base.Engine, but {kind!r}")
    if missing := sorted(getattr(kind, "__abstractmethods__", ())):
        raise SlipformError(f"{where} ({entry.value}) does not define {', '.join(missing)}")
    return kind


class UnknownEngine(SlipformError):
    """No such engine is installed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.allowed = ", ".join(names())
        self.planned = name in PLANNED
        self.remedy = None if self.planned else did_you_mean(name, (*names(), *PLANNED))
        super().__init__(f"engine {name!r} is {'planned, but not there yet' if self.planned else 'unknown'}")
