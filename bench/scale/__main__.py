"""What a thousand models cost: `python -m bench.scale [--apply 10 100 1000] [--up 10 100]`.

The specs are copies of this repository's four under other names, in its stack prod. For each number of `--apply`:
`slipform plan --render`, then every manifest applied server-side to a real API server over eight connections, twice;
the second time must change nothing. For each number of `--up`: `pulumi up` by the real engine on such a server, twice,
and `pulumi destroy`. Each number has a control plane of its own. Prints a table, and puts each row into last.json in
place of the one that was there for this number: so one may be measured at a time (`--apply 1000 --up`).

The engine's file backend writes the whole state before and after each step, which grows with the square of the specs;
with `--save-once` it is told to write at the end (PULUMI_SKIP_CHECKPOINTS), and what is left is the work itself.

Needs Linux and the tools of tests/cluster (`make tools`).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from bench.scale import apply, up
from bench.scale.copies import HERE

LAST = HERE / "last.json"
Row = dict[str, Any]
Measure = Callable[[Path, int], Row]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--apply", type=int, nargs="*", default=[10, 100, 1000], metavar="SPECS")
    arguments.add_argument("--up", type=int, nargs="*", default=[10, 100], metavar="SPECS")
    arguments.add_argument("--save-once", action="store_true", help="of --up: save the state at the end only")
    chosen = arguments.parse_args()
    kinds: dict[str, tuple[list[int], Measure]] = {
        "apply": (chosen.apply, apply.measure),
        "up_saved_once" if chosen.save_once else "up": (chosen.up, partial(up.measure, saved_once=chosen.save_once)),
    }
    for kind, (numbers, measure) in kinds.items():
        for specs in numbers:
            row: Row = {"specs": specs, "date": f"{datetime.now(UTC):%Y-%m-%d}", "load_before": load()}
            with tempfile.TemporaryDirectory() as folder:
                row |= measure(Path(folder), specs)
            row["load_after"] = load()
            print(kind, *(f"  {name:28}{value:>12}" for name, value in row.items()), sep="\n", flush=True)
            keep(kind, row)


def load() -> float:
    """The machine's load average over the last minute."""
    return round(os.getloadavg()[0], 1)


def keep(kind: str, row: Row) -> None:
    found = json.loads(LAST.read_text())
    found["machine"] = {"python": platform.python_version(), "cores": os.cpu_count(), "machine": platform.machine()}
    others = [each for each in found.get(kind, []) if each["specs"] != row["specs"]]
    found[kind] = sorted([*others, row], key=lambda each: int(each["specs"]))
    LAST.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
