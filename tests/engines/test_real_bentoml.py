"""A real BentoML server takes what its engine answers: started, probed, asked, measured, drained."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipform.engines.base import Container
from slipform.engines.bentoml import IN_IMAGE, USER
from slipform.engines.metrics import Histogram, required
from slipform.engines.registry import engine

from .promql import assert_value
from .python_servers import container, stack
from .real_servers import Gate, Running, asking, loads, make, metrics_of, running

METRICS = engine("bentoml").metrics(stack())
MATCHERS = 'namespace="models",job="doubler"'
WAITING = 2


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model repository, as the init container would fetch it."""
    folder = tmp_path_factory.mktemp("models")
    make("bentos.py", folder)
    return folder


@pytest.fixture(scope="module")
def made() -> Container:
    return container(
        "bentoml",
        name="doubler",
        serving={"batching": {"max_queue_size": WAITING}},
        traffic={"timeout": "10m"},
        slo={"latency": {"p95": "33ms"}},
    )


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Gate:
    return Gate(tmp_path_factory.mktemp("bentoml") / "gate")


@pytest.fixture(scope="module")
def server(made: Container, gate: Gate, models: Path) -> Iterator[Running]:
    gate.open("load")
    with running(made, gate.folder.parent, models, GATE=str(gate.folder)) as started:
        yield started.ready(made.startup.path)


def number(x: float) -> bytes:
    return json.dumps({"x": x}).encode()


def test_images_that_are_made_of_it_have_the_user_and_the_folder_that_are_named(models: Path) -> None:
    """Of `bentoml containerize` only what it would build from: there is no Docker here."""
    recipe = (models / "doubler" / "3" / "env" / "docker" / "Dockerfile").read_text()
    assert {
        f"ARG BENTO_USER_UID={USER}",
        f"ARG BENTO_PATH={IN_IMAGE}",
        "ENV PATH=/app/.venv/bin:${PATH}",
    } <= {line.strip() for line in recipe.splitlines()}


def test_it_hears_sigterm_as_a_containers_first_process(server: Running) -> None:
    assert server.hears(signal.SIGTERM)


def test_it_predicts(server: Running) -> None:
    status, body = server.ask("/predict", number(21))
    assert (status, json.loads(body)) == (200, 42.0)


def test_it_answers_where_it_is_probed_and_measured(server: Running, made: Container) -> None:
    paths = {made.startup.path, made.readiness.path, made.liveness.path, METRICS.path, *engine("bentoml").api.server}
    assert {path: server.ask(path or "")[0] for path in paths} == dict.fromkeys(paths, 200)


def test_a_model_that_raises_answers_500_and_a_client_that_errs_400(server: Running) -> None:
    assert server.ask("/predict", number(-1))[0] == 500
    assert server.ask("/predict", b"{}")[0] == 400


def in_progress(server: Running) -> float:
    return sum(
        float(line.rpartition(" ")[2])
        for line in server.ask("/metrics")[1].decode().splitlines()
        if line.startswith('bentoml_service_request_in_progress{endpoint="/predict"')
    )


def test_more_than_the_spec_lets_wait_are_refused_and_probes_are_not(
    server: Running, gate: Gate, made: Container
) -> None:
    with asking(server, "/predict", [number(x) for x in (1001, 1002, 1003)]) as answers:
        server.until(lambda: in_progress(server) == WAITING + 1)
        assert server.ask("/predict", number(1))[0] == 429
        assert server.ask(made.liveness.path or "")[0] == 200
        assert server.ask(made.readiness.path or "")[0] == 200
        for name in ("1001", "1002", "1003"):
            gate.open(name)
        assert [answer.result()[0] for answer in answers] == [200] * 3


def test_every_series_that_is_asked_for_is_there(server: Running) -> None:
    exposed = server.ask("/metrics")[1].decode()
    measures = [METRICS.requests, METRICS.errors, METRICS.queue_length, METRICS.rejected]
    for metric in set().union(*(metrics_of(required(each)) for each in measures)):
        assert f"\n{metric}{{" in exposed
    assert f'{METRICS.version_label}="v3"' in exposed


def test_its_histogram_has_the_specs_bound_as_a_bucket(server: Running) -> None:
    assert isinstance(METRICS.latency, Histogram)
    exposed = server.ask("/metrics")[1].decode()
    assert f'{METRICS.latency.metric}_bucket{{endpoint="/predict"' in exposed
    assert 'le="0.033"' in exposed


@pytest.mark.parametrize("what", ["requests", "errors", "rejected"])
def test_the_queries_count_what_it_exposes(what: str, server: Running, promtool: Path, tmp_path: Path) -> None:
    """Each of the counted requests stands for one a second: the queries' values are the counters' own."""
    for body in (number(1), number(-1), b"{}"):
        server.ask("/predict", body)
    scraped = server.ask("/metrics")[1].decode()
    counted = {"requests": "", "errors": r"500 504 429", "rejected": "429"}[what].split()
    expected = sum(
        float(line.rpartition(" ")[2])
        for line in scraped.splitlines()
        if line.startswith('bentoml_service_request_total{endpoint="/predict"')
        and (not counted or any(f'http_response_code="{code}"' in line for code in counted))
    )
    assert expected > 0 or what == "rejected"
    assert_value(
        promtool, tmp_path, required(getattr(METRICS, what)).promql(MATCHERS), loads(scraped, "doubler"), expected
    )


def test_what_the_bentos_decorator_says_holds(models: Path, tmp_path: Path) -> None:
    gate = Gate(tmp_path / "gate")
    gate.open("load")
    made = container("bentoml", name="strict", traffic={"timeout": "10m"})
    with running(made, tmp_path, models, GATE=str(gate.folder)) as server:
        server.ready(made.startup.path)
        server.until(lambda: gate.count("loading-*") == 2)
        assert server.ask("/predict", number(1001))[0] == 504
        gate.open("1001")


def test_its_port_is_open_before_the_model_is_loaded_and_its_probes_do_not_answer(
    made: Container, models: Path, tmp_path: Path
) -> None:
    gate = Gate(tmp_path / "gate")
    with running(made, tmp_path, models, GATE=str(gate.folder)) as starting:
        starting.until(lambda: starting.alive() and gate.count("loading-*") == 1)
        assert starting.accepts()
        assert [starting.ask(path or "", seconds=1)[0] for path in (made.startup.path, made.liveness.path)] == [0, 0]
        gate.open("load")
        starting.ready(made.startup.path)


def test_a_request_that_it_has_when_it_is_told_to_stop_is_answered(
    made: Container, models: Path, tmp_path: Path
) -> None:
    gate = Gate(tmp_path / "gate")
    gate.open("load")
    with running(made, tmp_path, models, GATE=str(gate.folder)) as server:
        server.ready(made.startup.path)
        with asking(server, "/predict", [number(1001)]) as [answer]:
            server.until(lambda: gate.count("running-1001") == 1)
            server.process.terminate()
            server.until(lambda: server.ask("/readyz", seconds=1)[0] == 0)
            gate.open("1001")
            assert answer.result()[0] == 200
        assert server.process.wait(120) == 0
