"""Who gets which request: the mesh's routes for one server, as plain data in Istio's words.

A request belongs to a *leg* (a protocol's port, narrowed to some paths), and a leg goes to one or both *tracks*: the
stable version and the candidate. Where a controller moves the weights, a leg is delegated to a small VirtualService
that the controller owns, so that timeouts, retries and matches stay ours and their changes always arrive.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..engines import registry
from ..engines.api import Api
from ..engines.base import Port, Server
from ..spec.modelspec import ModelSpec
from ..spec.rollout import AB, BlueGreen, Canary, Rollout, Shadow
from ..spec.traffic import Traffic
from ..spec.units import Duration
from .platform import CANDIDATE, STABLE

Spec = dict[str, Any]
Match = dict[str, Any]


@dataclass(frozen=True)
class Leg:
    """Requests that are treated alike. ``uris`` are Istio's string matches, none means every path; a ``track`` is
    given where the request itself names a version that only that track has."""

    name: str
    protocol: Literal["http", "grpc"]
    port: int
    uris: tuple[Mapping[str, str], ...] = ()
    track: str | None = None
    stream: bool = False
    """A stream has no end that a timeout could await, and can't be sent again."""


@dataclass(frozen=True)
class Endpoints:
    """Where clients find a model: REST and gRPC inside the cluster, and its address outside."""

    rest: str | None
    grpc: str | None
    public: str | None

    def outputs(self) -> dict[str, str]:
        return {name: url for name, url in vars(self).items() if url}


def endpoints(server: Server, ports: Sequence[Port]) -> Endpoints:
    """The addresses of a server; its Service alone gives the ones inside the cluster."""
    host, numbers = f"{server.name}.{server.stack.cluster.namespace}.svc", served_ports(ports)
    return Endpoints(
        rest=f"http://{host}:{numbers['http']}" if "http" in numbers else None,
        grpc=f"{host}:{numbers['grpc']}" if "grpc" in numbers else None,
        public=f"https://{server.spec.expose.host}" if server.spec.expose else None,
    )


def served_ports(ports: Sequence[Port]) -> dict[str, int]:
    """The ports that clients may use, by name."""
    return {port.name: port.number for port in ports if port.exposed and port.name != "metrics"}


def mesh_legs(server: Server, ports: Sequence[Port]) -> Iterator[Leg]:
    """Every request to the server's Service, first the ones that need a treatment of their own."""
    numbers, api = served_ports(ports), api_of(server)
    if "http" in numbers:
        for version, track in pinned_versions(server.spec) if api.pinned else ():
            root = api.root(server.spec.name, version)
            uris = ({"exact": root}, *({"prefix": f"{root}{mark}"} for mark in api.separators))
            yield Leg(f"http-{version}", "http", numbers["http"], uris, track)
        yield Leg("http", "http", numbers["http"])
    if "grpc" in numbers:
        if api.stream:
            yield Leg("grpc-stream", "grpc", numbers["grpc"], ({"exact": api.stream},), stream=True)
        yield Leg("grpc", "grpc", numbers["grpc"])


def api_of(server: Server) -> Api:
    """What clients call of it."""
    return registry.runtime(server.spec).api


def pinned_versions(spec: ModelSpec) -> tuple[tuple[int, str], ...]:
    """Versions of a declared rollout that a REST path can ask for by number, with the one track that has them.

    Left to the weights, such a request would meet a server without its version. gRPC says it in the message, where
    no route can see it.
    """
    if spec.rollout is None or spec.rollout.candidate is None:
        return ()
    return (spec.model.version, STABLE), (spec.rollout.candidate.version, CANDIDATE)


def shares(rollout: Rollout | None) -> dict[str, int] | None:
    """Percent of the traffic by track, or None where there is one track only."""
    match rollout:
        case Canary(candidate=candidate, weight=int(weight)) if candidate:
            return {STABLE: 100 - weight, CANDIDATE: weight}
        case BlueGreen(candidate=candidate, active=active) if candidate:
            switched = active == candidate.version
            return {STABLE: 0 if switched else 100, CANDIDATE: 100 if switched else 0}
        case Shadow() | AB():
            return {STABLE: 100}
        case Canary():
            return {STABLE: 100, CANDIDATE: 0}
    return None


def virtual_service(server: Server, hosts: Sequence[str], gateways: Sequence[str], legs: Iterator[Leg]) -> Spec:
    """Routes for some hosts, seen by the sidecars (``mesh``) or by a gateway."""
    in_mesh = list(gateways) == ["mesh"]
    return {
        "hosts": list(hosts),
        "gateways": list(gateways),
        "http": [route for leg in legs for route in _routes(server, leg, by_port=in_mesh)],
    }


def delegate(server: Server, port: int) -> Spec:
    """The weights of one port and nothing else: what Argo Rollouts writes to. It has no hosts: it is no route alone."""
    return {"http": [{"name": PRIMARY, "route": _destinations(server.name, port, shares(server.spec.rollout))}]}


PRIMARY = "primary"
"""The one route of a delegate, named so that the Rollout can name it."""


def delegate_name(server: str, protocol: str) -> str:
    return f"{server}-{protocol}"


def delegated(spec: ModelSpec) -> bool:
    """True where a controller moves weights between subsets; progressive blue-green switches a Service instead."""
    return spec.progressive and isinstance(spec.rollout, Canary)


def cookie_pattern(cookie: str, value: str) -> str:
    """RE2 that matches a Cookie header as a whole when one of its cookies has exactly this name and value."""
    return rf"(.*;\s*)?{re.escape(cookie)}={re.escape(value)}(\s*;.*)?"


def istio_duration(duration: Duration) -> str:
    """Istio takes one unit and no less than a millisecond; its JSON knows seconds and fractions of them best."""
    milliseconds = max(1, duration.microseconds // 1000)
    return f"{milliseconds // 1000}s" if milliseconds % 1000 == 0 else f"{milliseconds / 1000}s"


def try_timeout(traffic: Traffic) -> Duration:
    """The limit of one attempt: as written, or an equal share of the whole, so that the last one has its time too."""
    share = Duration(traffic.timeout.microseconds // (traffic.retries.attempts + 1))
    return traffic.retries.per_try_timeout or share


def _routes(server: Server, leg: Leg, *, by_port: bool) -> Iterator[Spec]:
    rollout = server.spec.rollout
    if isinstance(rollout, AB) and leg.track is None:
        chosen = _branch(server, leg, by_port, headers=_headers(rollout))
        yield chosen | {"name": f"{leg.name}-candidate", "route": _one_track(server.name, leg.port, CANDIDATE)}
    plain = _branch(server, leg, by_port)
    if delegated(server.spec):
        yield plain | {"delegate": {"name": delegate_name(server.name, leg.protocol)}}
    elif leg.track is not None:
        yield plain | {"route": _one_track(server.name, leg.port, leg.track)}
    else:
        # A copy is sent when the request is whole, which a stream never is.
        mirrored = _mirror(server.name, leg.port, rollout) if isinstance(rollout, Shadow) and not leg.stream else {}
        yield plain | {"route": _destinations(server.name, leg.port, shares(rollout))} | mirrored


def _branch(server: Server, leg: Leg, by_port: bool, headers: Match | None = None) -> Spec:
    """A route without its destinations."""
    condition = ({"port": leg.port} if by_port else {}) | ({"headers": headers} if headers else {})
    traffic = server.spec.traffic
    limits: Spec = {"retries": {"attempts": 0}}
    if not leg.stream:
        limits = {"timeout": istio_duration(traffic.timeout), "retries": _retries(traffic)}
    return {"name": leg.name, "match": [condition | {"uri": dict(uri)} for uri in leg.uris] or [condition], **limits}


def _retries(traffic: Traffic) -> Spec:
    if traffic.retries.attempts == 0:
        return {"attempts": 0}  # left out, the mesh would try twice more by its own default
    return {
        "attempts": traffic.retries.attempts,
        "perTryTimeout": istio_duration(try_timeout(traffic)),
        "retryOn": ",".join(traffic.retries.on),
    }


def _headers(rollout: AB) -> Match:
    if rollout.header is not None:
        return {rollout.header: {"exact": rollout.match}}
    return {"cookie": {"regex": cookie_pattern(rollout.cookie or "", rollout.match)}}


def _destinations(host: str, port: int, weights: Mapping[str, int] | None) -> list[Spec]:
    if weights is None:
        return [{"destination": {"host": host, "port": {"number": port}}}]
    return [{"destination": _destination(host, port, track), "weight": weight} for track, weight in weights.items()]


def _one_track(host: str, port: int, track: str) -> list[Spec]:
    return [{"destination": _destination(host, port, track)}]


def _destination(host: str, port: int, track: str) -> Spec:
    return {"host": host, "subset": track, "port": {"number": port}}


def _mirror(host: str, port: int, rollout: Shadow) -> Spec:
    return {"mirror": _destination(host, port, CANDIDATE), "mirrorPercentage": {"value": rollout.percent}}
