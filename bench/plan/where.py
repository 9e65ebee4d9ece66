"""Where a plan's time goes: `python -m bench.plan.where [--specs 100] [--calls 0]`.

The program runs under cProfile in the way that a plan runs it. Profiling makes calls dearer than they are, so the
shares count, not the seconds.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import json
import os
import pstats
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from slipform.plan import project, stack_config

from .__main__ import STACK, write_project

PACKAGES = {
    "pulumi/runtime/": "Pulumi: turning inputs to protobuf and back, registering",
    "pulumi/": "Pulumi: resources, outputs, types",
    "pulumi_": "Pulumi's packages for Kubernetes and AWS",
    "google/": "protobuf",
    "asyncio/": "asyncio",
    "concurrent/": "threads",
    "threading": "threads",
    "importlib": "importing",
    "slipform/plan/": "Slipform: recording",
    "slipform/spec/": "Slipform: reading and checking specs",
    "slipform/review/": "Slipform: reading and checking specs",
    "slipform/project": "Slipform: reading and checking specs",
    "yaml/": "Slipform: reading and checking specs",
    "pydantic": "Slipform: reading and checking specs",
    "slipform/": "Slipform: components and engines",
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--specs", type=int, default=100)
    arguments.add_argument("--calls", type=int, default=0, help="show so many single functions too")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        write_project(root, chosen.specs)
        stats = Path(folder) / "stats"
        subprocess.run([sys.executable, "-m", "bench.plan.where", "--child", root, stats], check=True)
        _show(pstats.Stats(str(stats)), chosen.calls)


def _child(root: Path, stats: Path) -> None:
    from slipform.plan.record import _job
    from slipform.plan.recorder import program

    found = project.find(root)
    job = _job(found, STACK, stack_config.read(found, STACK), b"bench", ())
    gc.disable()
    profile = cProfile.Profile()
    profile.enable()
    answer = program.run(job)
    json.dumps(answer)
    profile.disable()
    profile.dump_stats(str(stats))
    os._exit(1 if "failure" in answer else 0)


def _show(stats: pstats.Stats, calls: int) -> None:
    own: Counter[str] = Counter()
    for (file, _, _), (_, _, seconds, _, _) in stats.stats.items():  # type: ignore[attr-defined]
        path = file.replace("components/", "")
        own[next((name for part, name in PACKAGES.items() if part in path), "Python's own functions")] += seconds
    total = sum(own.values())
    for name, seconds in own.most_common():
        print(f"{name:62}{seconds / total:6.0%}")
    if calls:
        stats.sort_stats("tottime").print_stats(calls)


if __name__ == "__main__":
    if "--child" in sys.argv:
        _child(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main()
