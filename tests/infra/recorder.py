"""Runs components in this process against Pulumi's own mock monitor, and keeps what they register.

Absence can only be asserted when every registration has drained, so ``record`` returns after that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
from pulumi.runtime import mocks
from pulumi.runtime.stack import run_pulumi_func

from slipform.infra.platform import Platform
from slipform.spec.stack import StackConfig

from ..builders import stack_config


@dataclass(frozen=True)
class Registered:
    """One registered resource: its type token, its name and its inputs as the provider gets them."""

    type: str
    name: str
    inputs: dict[str, Any]


@dataclass
class Recorder(pulumi.runtime.Mocks):
    resources: list[Registered] = field(default_factory=list)

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        self.resources.append(Registered(args.typ, args.name, _whole(args.inputs)))
        return f"{args.name}-id", args.inputs

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise AssertionError(f"the program makes no invokes, but called {args.token}")


@dataclass(frozen=True)
class Recorded:
    resources: tuple[Registered, ...]

    def all(self, type_suffix: str) -> list[Registered]:
        """Those whose type token ends with ``type_suffix`` (``Deployment``, ``:VirtualService``), in order of name."""
        found = [r for r in self.resources if r.type.endswith(type_suffix)]
        return sorted(found, key=lambda r: r.name)

    def one(self, type_suffix: str, name: str | None = None) -> Registered:
        found = [r for r in self.all(type_suffix) if name in (None, r.name)]
        assert len(found) == 1, (
            f"{len(found)} of {type_suffix} {name or ''}: {[(r.type, r.name) for r in self.resources]}"
        )
        return found[0]


def record(program: Callable[[Platform], object], stack: StackConfig | None = None) -> Recorded:
    """What ``program`` registers, given the platform of a stack."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    recorder = Recorder()
    mocks.set_mocks(recorder, project="slipform", stack="test", preview=False)

    def run() -> None:
        provider = k8s.Provider("cluster", context="test")
        program(Platform("test", stack or stack_config(), provider))

    loop.run_until_complete(run_pulumi_func(run))
    return Recorded(tuple(recorder.resources))


def _whole(value: Any) -> Any:
    """Numbers as they were: the wire format has floats only."""
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
