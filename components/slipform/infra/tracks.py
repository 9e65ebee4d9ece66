"""How many replicas each track of a server may have: pure arithmetic on a rollout."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..engines.servers import CANDIDATE, STABLE, Track
from ..spec.modelspec import ModelSpec
from ..spec.rollout import BlueGreen, Canary, Shadow


@dataclass(frozen=True)
class Replicas:
    """The autoscaler's bounds for one track; ``idle`` where it waits for a switch with all of them."""

    min: int
    max: int
    idle: bool = False


def tracks(spec: ModelSpec) -> tuple[Track, ...]:
    """The tracks that have a Deployment: a declared rollout has two."""
    return (STABLE, CANDIDATE) if spec.rollout and spec.rollout.candidate else (STABLE,)


def deployment_name(server: str, track: str) -> str:
    """A Deployment's name, in the cluster and in Pulumi."""
    return server if track == STABLE else f"{server}-{track}"


def replicas(spec: ModelSpec, track: str) -> Replicas:
    """The bounds of one track.

    A candidate starts with the share of the replicas that it has of the traffic. The version of a blue-green pair that
    has no traffic keeps as many as the other can have, so that a switch, either way, never meets too few.
    """
    scaling, rollout = spec.scaling, spec.rollout
    if isinstance(rollout, BlueGreen) and rollout.candidate and rollout.active != _version(spec, track):
        kept = rollout.keep or scaling.max_replicas
        return Replicas(kept, max(kept, scaling.max_replicas), idle=True)
    if track == CANDIDATE and isinstance(rollout, Canary | Shadow):
        percent = rollout.percent if isinstance(rollout, Shadow) else rollout.weight or 0
        return Replicas(max(1, math.ceil(scaling.min_replicas * percent / 100)), scaling.max_replicas)
    return Replicas(scaling.min_replicas, scaling.max_replicas)


def _version(spec: ModelSpec, track: str) -> int:
    candidate = spec.candidate
    return candidate.version if track == CANDIDATE and candidate else spec.model.version
