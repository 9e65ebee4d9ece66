"""A server as its rules and its dashboard speak of it, made of what runs it."""

from __future__ import annotations

from collections.abc import Sequence

from ..spec.modelspec import ModelSpec
from ..spec.stack import StackConfig
from .autoscaler import hpa_name
from .rules.server import Server
from .workloads import Workloads


def watched(name: str, specs: Sequence[ModelSpec], found: Workloads, stack: StackConfig) -> Server:
    """The server of that name, its workloads and their autoscalers."""
    hpas = tuple(hpa_name(found.target(track)) for track in found.scaled)
    return Server(name, tuple(specs), found.targets, hpas, stack)
