"""What a thousand models cost: `python -m bench.scale [--apply 10 100 1000] [--up 10 100]`.

The specs are copies of this repository's four under other names, in its stack prod. For each number of `--apply`:
`slipform plan --render`, then every manifest applied server-side to a real API server over eight connections, twice;
the second time must change nothing. For each number of `--up`: `pulumi up` by the real engine on such a server, twice,
and `pulumi destroy`. Each number has a control plane of its own. Prints a table and writes it to last.json.

Needs Linux and the tools of tests/cluster (`make tools`).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from pathlib import Path
from typing import Any

from bench.scale import apply, up
from bench.scale.copies import HERE


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--apply", type=int, nargs="*", default=[10, 100, 1000], metavar="SPECS")
    arguments.add_argument("--up", type=int, nargs="*", default=[10, 100], metavar="SPECS")
    chosen = arguments.parse_args()
    machine = {"python": platform.python_version(), "cores": os.cpu_count(), "machine": platform.machine()}
    found: dict[str, Any] = {"machine": machine, "apply": [], "up": []}
    for kind, numbers, measure in (("apply", chosen.apply, apply.measure), ("up", chosen.up, up.measure)):
        for specs in numbers:
            with tempfile.TemporaryDirectory() as folder:
                found[kind].append({"specs": specs, **measure(Path(folder), specs)})
            print(kind, *(f"  {name:28}{value:>12,}" for name, value in found[kind][-1].items()), sep="\n", flush=True)
            (HERE / "last.json").write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
