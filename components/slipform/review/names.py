"""Names that two servers would share: of their objects in the cluster, and of their addresses outside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..spec.findings import Finding
from ..spec.modelspec import ModelSpec

APPENDED = ("build", "candidate", "grpc", "http", "predictor", "preview", "progressive", "public")
"""What is appended to a server's name for its further objects, by us or by an operator."""


def problems(specs: Sequence[ModelSpec]) -> Iterator[tuple[ModelSpec, Finding]]:
    """Each with the spec that it is about: the later of the two, by name."""
    yield from _objects(specs)
    yield from _hosts(specs)


def _objects(specs: Sequence[ModelSpec]) -> Iterator[tuple[ModelSpec, Finding]]:
    servers = {spec.server for spec in specs}
    for spec in sorted(specs, key=lambda spec: spec.name):
        shorter, _, appended = spec.server.rpartition("-")
        if appended in APPENDED and shorter in servers:
            yield (
                spec,
                Finding(
                    f"the server {shorter} names objects of its own {spec.server}",
                    path=("name",) if spec.serving.server is None else ("serving", "server"),
                    given=spec.server,
                    remedy="choose a name with another ending",
                ),
            )


def _hosts(specs: Sequence[ModelSpec]) -> Iterator[tuple[ModelSpec, Finding]]:
    first: dict[str, str] = {}
    for spec in sorted(specs, key=lambda spec: spec.name):
        if spec.expose is None:
            continue
        other = first.setdefault(spec.expose.host, spec.server)
        if other != spec.server:
            yield (
                spec,
                Finding(
                    f"{other} has this address already",
                    path=("expose", "host"),
                    given=spec.expose.host,
                    remedy="give each server an address of its own",
                ),
            )
