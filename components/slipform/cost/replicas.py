"""How many replicas a server has: at least, under the load that is expected, and at most."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from ..engines.servers import CANDIDATE, Track, version
from ..infra.tracks import replicas, tracks
from ..spec.modelspec import ModelSpec
from ..spec.rollout import BlueGreen, Canary, Shadow


@dataclass(frozen=True)
class Counts:
    """Replicas of all tracks. ``answering`` are those of the most whose answers somebody gets."""

    least: int
    expected: int | None
    most: int
    answering: int


def counts(specs: Sequence[ModelSpec]) -> Counts:
    """Of one server, whose ``specs`` agree on bounds and rollout.

    What the expected load needs is known where each spec says its ``traffic.expected_rps`` and, in
    ``scaling.metrics.requests_per_second``, how many a replica is to do.
    """
    spec = specs[0]
    bounds = {track: replicas(spec, track) for track in tracks(spec)}
    shares = {track: share(spec, track) for track in bounds}
    wanted = {
        track: bound.min if bound.min == bound.max else _wanted(specs, shares[track]) for track, bound in bounds.items()
    }
    expected = [
        min(max(number, bounds[track].min), bounds[track].max) for track, number in wanted.items() if number is not None
    ]
    answering = [
        bound.max
        for track, bound in bounds.items()
        if shares[track] and not (isinstance(spec.rollout, Shadow) and track == CANDIDATE)
    ]
    return Counts(
        least=sum(bound.min for bound in bounds.values()),
        expected=sum(expected) if len(expected) == len(bounds) else None,
        most=sum(bound.max for bound in bounds.values()),
        answering=sum(answering),
    )


def share(spec: ModelSpec, track: Track) -> Fraction:
    """The part of the requests that a track gets. Who falls into an A/B's candidate is not known: as if nobody did."""
    rollout = spec.rollout
    if rollout is None or rollout.candidate is None:
        return Fraction(1)
    if isinstance(rollout, BlueGreen):
        return Fraction(rollout.active == version(spec, track))
    if isinstance(rollout, Shadow):
        return Fraction(rollout.percent if track == CANDIDATE else 100, 100)
    weight = Fraction((rollout.weight or 0) if isinstance(rollout, Canary) else 0, 100)
    return weight if track == CANDIDATE else 1 - weight


def _wanted(specs: Sequence[ModelSpec], share: Fraction) -> int | None:
    """Replicas for the part of the load, as the autoscaler counts: the most that one of the models asks for."""
    wanted = []
    for spec in specs:
        rps, each = spec.traffic.expected_rps, spec.scaling.metrics.requests_per_second
        if rps is None or each is None:
            return None
        wanted.append(math.ceil(share * Fraction(rps) / Fraction(each)))
    return max(wanted)
