"""One cell of the table: a wire under a load, after a warm-up."""

import argparse
import os
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

from slipform_runtime.bench.errors import Unreachable
from slipform_runtime.bench.figures import Figures, Objective, figures
from slipform_runtime.bench.load import Load, run
from slipform_runtime.bench.samples import Request
from slipform_runtime.bench.server import Asked
from slipform_runtime.bench.wires import Grpc, Http, Wire

GRPC_PORT = 8001


async def measure(
    server: Asked,
    wire_name: str,
    load: Load,
    requests: Sequence[Request],
    objectives: Sequence[Objective],
    arguments: argparse.Namespace,
) -> Figures:
    """Warm up, then measure. Raises Unreachable where not one request of the warm-up succeeds."""
    wire = _wire(wire_name, server.path, requests, arguments)
    _tell(f"{wire_name}, {load} …")
    try:
        warm = await run(wire, load, arguments.warmup)
        if not warm.latencies:
            reasons = ", ".join(_told(each, wire) for each in warm.failures) or "no request was due in the warm-up"
            raise Unreachable(f"{arguments.url}, {wire_name}: not one request of the warm-up was answered: {reasons}")
        before = await server.executed()
        tally = await run(wire, load, arguments.seconds)
        after = await server.executed()
    finally:
        await wire.close()
        _tell("")
    return figures(wire_name, load, arguments.items, tally, after - before if before and after else None, objectives)


def _told(reason: str, wire: Wire) -> str:
    said = wire.said.get(reason)
    return f"{reason} ({said})" if said else reason


def _wire(name: str, path: str, requests: Sequence[Request], arguments: argparse.Namespace) -> Wire:
    if name != "grpc":
        return Http(f"{arguments.url}{path}/infer", requests, arguments.timeout, binary=name == "binary")
    target = arguments.grpc or f"{urlsplit(arguments.url).hostname}:{GRPC_PORT}"
    return Grpc(target, arguments.model, arguments.model_version, requests, arguments.timeout)


def _tell(text: str) -> None:
    """What is being measured, where a person looks; it is wiped away after."""
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()
