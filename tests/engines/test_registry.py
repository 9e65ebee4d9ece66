"""Engines are found by name; what is not one, or not yet, is said plainly."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint

import pytest

from slipform.engines import registry
from slipform.engines.fastapi import FastAPI
from slipform.engines.triton import Triton
from slipform.spec.findings import SlipformError


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, EntryPoint]]:
    """The entry points of a Python in which some packages bring engines."""
    entries: dict[str, EntryPoint] = {}
    monkeypatch.setattr(registry, "_installed", lambda: entries)
    registry.engine.cache_clear()
    yield entries
    registry.engine.cache_clear()


def test_the_engines_of_this_package_are_installed() -> None:
    assert {"triton", "fastapi"} <= set(registry.names())
    assert isinstance(registry.engine("triton"), Triton)
    assert isinstance(registry.engine("fastapi"), FastAPI)


@pytest.mark.parametrize("name", registry.names())
def test_an_engine_is_named_as_its_entry_point_is(name: str) -> None:
    assert registry.engine(name).name == name


@pytest.mark.parametrize(
    ("name", "remedy"), [("tritn", "did you mean 'triton'?"), ("FastApi", "did you mean 'fastapi'?"), ("xyz", None)]
)
def test_an_unknown_engine_is_told_what_there_is(name: str, remedy: str | None) -> None:
    with pytest.raises(registry.UnknownEngine, match="unknown") as caught:
        registry.engine(name)

    assert caught.value.remedy == remedy
    assert "triton" in caught.value.allowed


@pytest.mark.parametrize("name", registry.PLANNED)
def test_a_planned_engine_is_not_there_yet(name: str) -> None:
    with pytest.raises(registry.UnknownEngine, match="planned, but not there yet"):
        registry.engine(name)


def test_an_engine_of_another_package_is_found(installed: dict[str, EntryPoint]) -> None:
    installed["vllm"] = EntryPoint("vllm", "slipform.engines.fastapi:FastAPI", registry.GROUP)

    assert registry.names() == tuple(sorted([*registry.OURS, "vllm"]))
    assert isinstance(registry.engine("vllm"), FastAPI)


def test_engines_of_ours_need_no_look_at_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_installed", lambda: pytest.fail("looked"))
    registry.engine.cache_clear()
    assert isinstance(registry.engine("triton"), Triton)


def test_another_package_does_not_replace_one_of_ours() -> None:
    assert set(registry.OURS).isdisjoint(registry._installed())


@pytest.mark.parametrize("value", ["slipform.engines.base:Server", "slipform.engines.registry:names"])
def test_an_entry_point_that_is_no_engine_is_refused(installed: dict[str, EntryPoint], value: str) -> None:
    installed["odd"] = EntryPoint("odd", value, registry.GROUP)

    with pytest.raises(SlipformError, match=r"slipform\.engines:odd is no"):
        registry.engine("odd")


@pytest.mark.parametrize("value", ["nowhere.at.all:Engine", "slipform.engines.triton:Nothing"])
def test_an_entry_point_that_cannot_be_imported_is_refused(installed: dict[str, EntryPoint], value: str) -> None:
    installed["broken"] = EntryPoint("broken", value, registry.GROUP)

    with pytest.raises(SlipformError, match=r"slipform\.engines:broken"):
        registry.engine("broken")


def test_an_engine_that_leaves_something_out_is_refused(installed: dict[str, EntryPoint]) -> None:
    installed["half"] = EntryPoint("half", "slipform.engines.base:Engine", registry.GROUP)

    with pytest.raises(SlipformError, match="metrics, problems, workload"):
        registry.engine("half")
