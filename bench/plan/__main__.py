"""What a plan costs: `python -m bench.plan [--specs 1 10 100] [--runs 3]`.

For each number of specs, in turn and in processes of their own: `slipform plan` of all and of a single one; the same
program under Pulumi's bare test monitor, which is the limit that the SDK sets; the same with Python's garbage collector
off, as the plan has it; `slipform validate`; `slipform diff` of a working tree in which one spec changed, the short way
and, planning all, the whole one; and `helm template` of a chart with as many objects, where there is a helm. The specs
are copies of one of this repository's. Prints the figures, and writes them to last.json, with the machine, and to
README.md, as a table.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from slipform.plan import project, stack_config

from . import chart, table

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
SPEC = "text-direction"
STACK = "prod"
WHOLE = f"""
from pathlib import Path
from slipform import plan
print(plan.diff_to_json(plan.diff(*plan.graphs(Path(), "HEAD", None, {STACK!r}, whole=True))))
"""


@dataclass(frozen=True)
class Cost:
    """One run: wall clock, processor time, and the largest memory of any process in it."""

    seconds: float
    cpu_seconds: float
    peak_mib: int


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--specs", type=int, nargs="+", default=[1, 10, 100])
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--bare-up-to", type=int, default=100, help="the bare monitor for so many specs at most")
    chosen = arguments.parse_args()
    rows = []
    for specs in chosen.specs:
        with tempfile.TemporaryDirectory() as folder:
            rows.append({"specs": specs, **measure(Path(folder) / "project", specs, chosen.runs, chosen.bare_up_to)})
        print("\n".join(f"{name:28}{value:>10,}" for name, value in rows[-1].items()), end="\n\n", flush=True)
    machine = {"python": platform.python_version(), "cores": os.cpu_count(), "machine": platform.machine()}
    (HERE / "last.json").write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n")
    where = f"{machine['cores']} cores ({machine['machine']}), Python {machine['python']}, {chosen.runs} runs"
    table.write(rows, f"Measured on {date.today()}: {where}, the median of each.")


def measure(root: Path, specs: int, runs: int, bare_up_to: int) -> dict[str, float | int]:
    write_project(root, specs)
    slipform = [sys.executable, "-m", "slipform.cli.main"]
    bare = [sys.executable, str(HERE / "bare.py"), str(root / "stacks"), "slipform", STACK]
    without_gc = [sys.executable, "-c", f"import gc, runpy, sys; gc.disable(); sys.argv = {bare[1:]!r}; "
                  f"runpy.run_path({bare[1]!r}, run_name='__main__')"]  # fmt: skip
    commands: dict[str, Sequence[str]] = {
        "plan": [*slipform, "plan", "-s", STACK, "--format", "json"],
        "single": [*slipform, "plan", f"model_specs/{SPEC}-0000.yaml", "-s", STACK, "--format", "json"],
        "bare": bare,
        "bare_without_gc": without_gc,
        "validate": [*slipform, "validate", "-s", STACK],
        "diff": [*slipform, "diff", "HEAD", "-s", STACK, "--format", "json"],
        "whole_diff": [sys.executable, "-c", WHOLE],
    }
    found: dict[str, float | int] = {"resources": count(root)}
    if program := chart.helm():
        place = root.parent / "chart"
        found["helm_objects"] = chart.write_chart(place, root, STACK, f"{SPEC}-0000", int(found["resources"]))
        commands["helm"] = [program, "template", "models", str(place)]
    if specs > bare_up_to:
        commands = {name: command for name, command in commands.items() if not name.startswith("bare")}
    # In turn, so that what else happens on the machine meets all alike.
    samples: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            samples[name].append(run(command, root))
    for name, costs in samples.items():
        found[f"{name}_seconds"] = round(statistics.median(cost.seconds for cost in costs), 2)
        found[f"{name}_cpu_seconds"] = round(statistics.median(cost.cpu_seconds for cost in costs), 2)
        found[f"{name}_peak_mib"] = max(cost.peak_mib for cost in costs)
    # Processor time is what a busy machine disturbs least; a diff's two sides run side by side, so the clock says less.
    for name, part, of in RATIOS:
        if {part, of} <= commands.keys():
            for what in ("seconds", "cpu_seconds"):
                found[f"{name}_{what}"] = round(found[f"{part}_{what}"] / found[f"{of}_{what}"], 2)
    return found


RATIOS = (
    ("diff_to_single", "diff", "single"),
    ("whole_diff_to_plan", "whole_diff", "plan"),
    ("plan_to_bare", "plan", "bare"),
    ("plan_to_helm", "plan", "helm"),
)
"""Name, dividend, divisor. The first is to be 3 at most, the second 2.2."""


def without_budget(stack: Path) -> None:
    """The stack's is one for four models."""
    lines = stack.read_text(encoding="utf-8").splitlines(keepends=True)
    stack.write_text("".join(line for line in lines if "slipform:cost:" not in line), encoding="utf-8")


def write_project(root: Path, specs: int) -> None:
    """This repository's program and stacks with copies of one spec, committed; then one spec is changed."""
    shutil.copytree(REPOSITORY / "stacks", root / "stacks", ignore=shutil.ignore_patterns("__pycache__"))
    without_budget(root / "stacks" / f"Pulumi.{STACK}.yaml")
    (root / "Pulumi.yaml").write_text(
        (REPOSITORY / "Pulumi.yaml").read_text().replace("    virtualenv: .venv\n", "").replace("  options:\n", "")
    )
    (root / "model_specs").mkdir()
    text = (REPOSITORY / "model_specs" / f"{SPEC}.yaml").read_text()
    for number in range(specs):
        name = f"{SPEC}-{number:04}"
        (root / "model_specs" / f"{name}.yaml").write_text(text.replace(f"name: {SPEC}", f"name: {name}"))
    identity = ("-c", "user.name=bench", "-c", "user.email=bench@example.com")
    for command in (("init", "-q"), ("add", "."), (*identity, "commit", "-qm", "specs")):
        subprocess.run(["git", "-C", str(root), *command], check=True)
    (root / "model_specs" / f"{SPEC}-0000.yaml").write_text(
        text.replace(f"name: {SPEC}", f"name: {SPEC}-0000").replace("max_replicas: 10", "max_replicas: 12")
    )


def run(command: Sequence[str], root: Path) -> Cost:
    found = project.find(root)
    config = stack_config.read(found, STACK)
    environment = {
        **os.environ,
        "PULUMI_CONFIG": json.dumps(dict(config.values)),
        "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(config.secret_keys)),
    }
    with tempfile.NamedTemporaryFile() as report:
        timed = ["/usr/bin/time", "-o", report.name, "-f", "%U %S %M", *command]
        start = time.perf_counter()
        done = subprocess.run(timed, cwd=root, env=environment, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}\n{done.stderr}")
        user, system, peak = Path(report.name).read_text().split()[-3:]
        return Cost(seconds, float(user) + float(system), int(peak) // 1024)


def count(root: Path) -> int:
    command = [sys.executable, "-m", "slipform.cli.main", "plan", "-s", STACK, "--format", "json"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return len(json.loads(done.stdout)["resources"])


if __name__ == "__main__":
    main()
