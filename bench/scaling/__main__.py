"""How long ten times the load waits for more replicas: `python -m bench.scaling [--up-window 0s] [--controller hpa]`.

Starts a control plane, Prometheus, prometheus-adapter and KEDA as the tests of `tests/cluster` do, and for each run one
model under one autoscaler, whose replicas are processes on this machine. From one moment to the next the load is ten
times as high. Prints the figures of each run and puts them into last.json in place of those of the run like it: so one
may be measured at a time. Makes the tools that are missing.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import tempfile
import time
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import Any

from tests.cluster import crds, tools
from tests.cluster.loop import EXECUTION_SECONDS, Controller, Loop, stage
from tests.cluster.plane import PROGRAMS, Plane, local_plane

LAST = Path(__file__).parent / "last.json"
Row = dict[str, Any]
CONTROLLERS: tuple[Controller, ...] = ("hpa", "keda")
TOOLS = (*PROGRAMS, "prometheus", "prometheus-adapter", "keda-operator", "keda-adapter")
CALM, TIMES = 2.0, 10
UTILIZATION, QUEUE = 70, 10
ENOUGH = ceil(CALM * TIMES * EXECUTION_SECONDS / (UTILIZATION / 100))
"""Replicas that the higher load needs to be as busy as the spec has it."""
REST = 30.0


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    windows = "scaling.behavior.scale_up.window of each run; default: none, and the spec's own default"
    arguments.add_argument("--up-window", nargs="+", default=["0s", "60s"], metavar="WINDOW", help=windows)
    arguments.add_argument("--controller", nargs="+", choices=CONTROLLERS, default=CONTROLLERS)
    chosen = arguments.parse_args()
    for name in TOOLS:
        tools.ensure(name)
    runs = itertools.product(chosen.up_window, chosen.controller)
    with tempfile.TemporaryDirectory() as folder, local_plane(Path(folder)) as plane:
        crds.install(plane.api)
        for number, (window, controller) in enumerate(runs):
            row = measure(plane, Path(folder) / f"run-{number}", f"run-{number}", window, controller)
            print("\n".join(f"{name:32}{value:>12}" for name, value in row.items()), end="\n\n", flush=True)
            keep(row)


def keep(row: Row) -> None:
    machine = {"python": platform.python_version(), "cores": os.cpu_count(), "machine": platform.machine()}
    others = [each for each in json.loads(LAST.read_text())["rows"] if _run(each) != _run(row)]
    LAST.write_text(json.dumps({"machine": machine, "rows": sorted([*others, row], key=_run)}, indent=2) + "\n")


def _run(row: Row) -> list[str]:
    return [row["up_window"], row["controller"]]


def measure(plane: Plane, folder: Path, namespace: str, window: str, controller: Controller) -> Row:
    folder.mkdir()
    scaling = {
        "min_replicas": 1,
        "max_replicas": 2 * ENOUGH,
        "metrics": {"utilization": UTILIZATION, "queue_length": QUEUE, "requests_per_second": None},
        "behavior": {"scale_up": {"window": window}, "scale_down": {"window": "20s", "period": "5s", "percent": 100}},
    }
    load_before = round(os.getloadavg()[0], 1)
    with stage(plane, namespace, folder, [controller], scaling, CALM) as made:
        loop, begin = made.loops[controller], time.time()
        loop.clients.rate = CALM * TIMES
        loop.replicas.until(lambda number: number >= ENOUGH)
        until_short(loop)
        loop.replicas.until_rest(REST, since=time.time())
        run: Row = {"controller": controller, "up_window": window, "date": f"{datetime.now(UTC):%Y-%m-%d}"}
        return run | {"load_before": load_before, **figures(loop, begin)}


def until_short(loop: Loop) -> None:
    """Waits until what queued up before there were replicas enough is done."""
    while max(loop.queue(time.time() - 3, time.time()), default=0) > QUEUE:
        time.sleep(1)


def figures(loop: Loop, begin: float) -> Row:
    """Seconds since the load rose, and how high the queue stood."""
    counts = [count for count in loop.replicas.counts if count.at > begin]
    queue = loop.queue(begin, time.time())
    long = [second for second, waiting in enumerate(queue) if waiting > QUEUE]
    return {
        "first_more_wished_seconds": round(next(count.at for count in counts if count.wished > 1) - begin, 1),
        "first_more_ready_seconds": round(next(count.at for count in counts if count.ready > 1) - begin, 1),
        "enough_ready_seconds": round(next(count.at for count in counts if count.ready >= ENOUGH) - begin, 1),
        "queue_at_most": int(max(queue)),
        "queue_gone_seconds": long[-1] + 1 if long else 0,
        "most_replicas": max(count.wished for count in counts),
        "at_rest_replicas": counts[-1].wished,
        "lost_requests": len(loop.clients.lost),
    }


if __name__ == "__main__":
    main()
