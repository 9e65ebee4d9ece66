"""A real MLflow model server takes what its engine answers: started, probed, asked, drained."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from slipform.engines.base import Container
from slipform.engines.mlflow import HTTP
from slipform.engines.registry import engine

from .python_servers import container, stack
from .real_servers import Gate, Running, asking, make, running

WORKERS = 2


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model repository, as the init container would fetch it."""
    folder = tmp_path_factory.mktemp("models")
    make("mlflow_model.py", folder / "wine" / "3")
    return folder


@pytest.fixture(scope="module")
def made() -> Container:
    return container("mlflow", serving={"instances": WORKERS, "resources": {"cpu": 2}})


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Gate:
    return Gate(tmp_path_factory.mktemp("mlflow") / "gate")


@pytest.fixture(scope="module")
def server(made: Container, gate: Gate, models: Path) -> Iterator[Running]:
    gate.open("load")
    with running(made, gate.folder.parent, models, GATE=str(gate.folder)) as started:
        yield started.ready(made.startup.path)


def row(number: float) -> bytes:
    return json.dumps({"dataframe_records": [{"x": number}]}).encode()


def test_it_hears_sigterm_as_a_containers_first_process_which_its_wrapper_does_not(
    server: Running, models: Path, made: Container, tmp_path: Path
) -> None:
    assert server.hears(signal.SIGTERM)
    gate = Gate(tmp_path / "gate")
    gate.open("load")
    wrapper = ("mlflow", "models", "serve", "--env-manager=local", f"--port={HTTP}", "-m", "/models/wine/3")
    wrapped = replace(made, command=wrapper, args=())
    with running(wrapped, tmp_path, models, GATE=str(gate.folder)) as other:
        other.ready(made.startup.path)
        assert not other.hears(signal.SIGTERM)


def test_it_predicts(server: Running) -> None:
    status, body = server.ask("/invocations", row(21))
    assert (status, json.loads(body)) == (200, {"predictions": [42.0]})


def test_it_answers_all_that_an_address_outside_lets_in(server: Running) -> None:
    paths = engine("mlflow").api.server
    assert {path: server.ask(path, row(1) if path == "/invocations" else None)[0] for path in paths} == dict.fromkeys(
        paths, 200
    )


def test_there_is_a_worker_for_each_instance(server: Running, gate: Gate) -> None:
    server.until(lambda: gate.count("loading-*") == WORKERS)


def test_a_model_that_raises_answers_400(server: Running) -> None:
    assert server.ask("/invocations", row(-1))[0] == 400
    assert server.ask("/invocations", b"no JSON")[0] == 400


def test_it_measures_nothing(server: Running) -> None:
    assert server.ask("/metrics")[0] == 404
    assert engine("mlflow").metrics(stack()).path is None


def test_it_is_not_ready_before_its_model_is_loaded(made: Container, models: Path, tmp_path: Path) -> None:
    gate = Gate(tmp_path / "gate")
    with running(made, tmp_path, models, GATE=str(gate.folder)) as starting:
        starting.until(lambda: starting.alive() and gate.count("loading-*") == WORKERS)
        assert starting.ask(made.readiness.path or "", seconds=1)[0] == 0
        gate.open("load")
        starting.ready(made.readiness.path)


def test_a_request_that_takes_longer_than_the_spec_allows_ends_with_504(models: Path, tmp_path: Path) -> None:
    gate = Gate(tmp_path / "gate")
    gate.open("load")
    short = container("mlflow", traffic={"timeout": "1s"})
    with running(short, tmp_path, models, GATE=str(gate.folder)) as server:
        server.ready(short.startup.path)
        assert server.ask("/invocations", row(1001))[0] == 504
        gate.open("1001")


def test_a_request_that_it_has_when_it_is_told_to_stop_is_answered(
    made: Container, models: Path, tmp_path: Path
) -> None:
    gate = Gate(tmp_path / "gate")
    gate.open("load")
    patient = container("mlflow", traffic={"timeout": "10m"}, serving={"instances": 2, "drain_timeout": "10m"})
    with running(patient, tmp_path, models, GATE=str(gate.folder)) as server:
        server.ready(patient.startup.path)
        with asking(server, "/invocations", [row(1001)]) as [answer]:
            server.until(lambda: gate.count("running-1001") == 1)
            server.process.terminate()
            server.until(lambda: server.ask("/ping", seconds=1)[0] == 0)
            gate.open("1001")
            assert answer.result()[0] == 200
        assert server.process.wait(120) == 0
