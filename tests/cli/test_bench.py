"""``slipform bench``: a spec's model under load, held against the spec's objectives."""

from __future__ import annotations

import json
from pathlib import Path

from slipform.cli.bench import objectives
from slipform.spec.traffic import Slo

from .conftest import Run
from .test_serve import served

SHORT = ("--seconds=0.3", "--concurrency=2")


def test_a_spec_is_judged_by_its_own_objectives_on_a_server_of_its_own(slipform: Run, project: Path) -> None:
    spec = project / "model_specs" / "iris.yaml"
    text = spec.read_text(encoding="utf-8").replace("p95: 20ms", "p95: 1s").replace("p99: 50ms", "p99: 1s")
    spec.write_text(text, encoding="utf-8")
    done = slipform("bench", "model_specs/iris.yaml", "--json", "--rate=50", *SHORT)
    assert done.returncode == 0, done.stderr
    cells = json.loads(done.stdout)
    assert [cell["loop"] for cell in cells] == ["closed", "open"]
    for cell in cells:
        assert set(cell["objectives"]) == {"p95=1s", "p99=1s", "availability=99.9"}


def test_a_running_server_is_asked_where_one_is_named(slipform: Run, project: Path) -> None:
    with served(project, "model_specs/iris.yaml") as port:
        done = slipform("bench", "model_specs/iris.yaml", f"http://localhost:{port}", *SHORT)
    assert "json  concurrency 2" in done.stdout
    assert done.returncode == 0, done.stderr


def test_a_missed_objective_is_exit_code_1(slipform: Run, project: Path) -> None:
    spec = project / "model_specs" / "iris.yaml"
    text = spec.read_text(encoding="utf-8").replace("p95: 20ms", "p95: 1us").replace("delay: 1ms", "delay: 0s")
    spec.write_text(text, encoding="utf-8")
    done = slipform("bench", "model_specs/iris.yaml", *SHORT)
    assert done.returncode == 1
    assert "MISSED  p95=1us  json, concurrency 2: " in done.stdout


def test_a_server_that_is_not_there_is_exit_code_3(slipform: Run) -> None:
    done = slipform("bench", "model_specs/iris.yaml", "http://localhost:1", *SHORT)
    assert done.returncode == 3
    assert "http://localhost:1" in done.stderr


def test_objectives_are_said_as_the_runtime_reads_them() -> None:
    slo = Slo.model_validate({"availability": 99.95, "latency": {"p50": "500us", "p99": "1.5s"}})
    assert objectives(slo) == ["p50=500us", "p99=1s500ms", "availability=99.95"]
