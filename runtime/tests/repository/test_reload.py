"""Versions come, go and break while clients ask."""

import json
import shutil
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from runtime_testing.models import BATCHING, constant, picky, put
from runtime_testing.serving import RunningServer
from runtime_testing.waiting import PATIENCE_SECONDS, until
from slipform_runtime.repository.version import ModelVersion

Serve = Callable[..., RunningServer]


def ask(server: RunningServer, version: str = "") -> tuple[int, Any]:
    path = f"/v2/models/m{f'/versions/{version}' if version else ''}/infer"
    answer = server.post(path, {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [0]}]})
    return answer.status, answer.json.get("outputs", [{"data": [None]}])[0]["data"][0]


def add(repository: Path, version: int, model: Any) -> None:
    """A version as a deployment writes it: complete, then renamed."""
    partial = repository / "m" / f".{version}.partial"
    partial.mkdir()
    (partial / "model.onnx").write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    partial.rename(repository / "m" / str(version))


def follow(server: RunningServer) -> None:
    """What `--model-control-mode poll` does by its timer."""
    done = threading.Event()
    server.loop.call_soon_threadsafe(
        lambda: server.loop.create_task(server.server.repository.follow()).add_done_callback(lambda _: done.set())
    )
    assert done.wait(PATIENCE_SECONDS)


def test_the_latest_version_answers(repository: Path, serve: Serve) -> None:
    for version in (2, 10, 9):
        put(repository, "m", constant(version), version=version)
    assert ask(serve(repository)) == (200, 10)


@pytest.mark.parametrize(
    ("policy", "served"),
    [
        ("", {"3"}),
        ("version_policy { latest { num_versions: 2 } }", {"2", "3"}),
        ("version_policy { all {} }", {"1", "2", "3"}),
        ("version_policy { specific { versions: [1, 3] } }", {"1", "3"}),
    ],
)
def test_the_version_policy_says_which_serve(repository: Path, serve: Serve, policy: str, served: set[str]) -> None:
    for version in (1, 2, 3):
        put(repository, "m", constant(version), policy, version=version)
    server = serve(repository)
    assert {version for version in "123" if ask(server, version)[0] == 200} == served


def test_a_new_version_takes_over(repository: Path, serve: Serve) -> None:
    put(repository, "m", constant(1))
    server = serve(repository)
    add(repository, 2, constant(2))
    follow(server)
    assert ask(server) == (200, 2)
    assert ask(server, "1")[0] == 404


def test_models_that_appear_are_loaded_and_those_that_go_are_unloaded(repository: Path, serve: Serve) -> None:
    put(repository, "m", constant(1))
    server = serve(repository)
    put(repository, "n", constant(2))
    follow(server)
    assert server.get("/v2/models/n/ready").status == 200
    shutil.rmtree(repository / "m")
    follow(server)
    assert server.get("/v2/models/m/ready").status == 404


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(b"not a model", id="no model"),
        pytest.param(constant(2).SerializeToString()[:-20], id="cut short"),
        pytest.param(constant(2, dims=(1, 7)), id="other tensors than the config's"),
        pytest.param(b"", id="empty"),
    ],
)
def test_a_broken_version_leaves_the_old_one_serving(repository: Path, serve: Serve, broken: Any) -> None:
    put(repository, "m", constant(1), 'max_batch_size: 4\ninput { name: "x" data_type: TYPE_FP32 dims: [1] }')
    server = serve(repository)
    add(repository, 2, broken)
    follow(server)
    assert ask(server) == (200, 1)
    index = server.post("/v2/repository/index", {}).json
    assert {row["version"]: row["state"] for row in index} == {"1": "READY", "2": "UNAVAILABLE"}
    assert next(row["reason"] for row in index if row["version"] == "2")
    assert server.metric("model_load_failures_total", model="m") == 1
    assert server.metric("model_rollbacks_total", model="m") == 0


def test_a_declared_warm_up_that_fails_keeps_the_version_out(repository: Path, serve: Serve) -> None:
    warmup = 'model_warmup { name: "w" batch_size: 1 inputs { key: "x" value { data_type: TYPE_INT64 dims: 2 } } }'
    put(repository, "m", picky(), "max_batch_size: 4\n" + warmup)
    server = serve(repository)
    assert server.get("/ready").status == 503
    assert "model_warmup 'w'" in server.post("/v2/repository/index", {}).json[0]["reason"]


def test_reloading_under_load_fails_no_request(repository: Path, serve: Serve) -> None:
    put(repository, "m", constant(1), BATCHING)
    server = serve(repository)
    stop, failures, answers = threading.Event(), [], set()

    def client() -> None:
        while not stop.is_set():
            status, value = ask(server)
            answers.add(value)
            if status != 200:
                failures.append(status)

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    for version, model in ((2, constant(2)), (3, b"broken"), (4, constant(4)), (5, b"broken")):
        add(repository, version, model)
        follow(server)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert answers <= {1, 2, 4}
    assert ask(server) == (200, 4)


def test_a_version_that_fails_too_often_is_rolled_back(repository: Path, serve: Serve) -> None:
    put(repository, "m", picky(100), BATCHING)
    put(repository, "m", picky(1), version=2)
    server = serve(repository, settings={"breaker": {"failures": 3, "window_seconds": 60}})

    def look_up(index: int) -> int:
        body = {"inputs": [{"name": "x", "datatype": "INT64", "shape": [1, 1], "data": [index]}]}
        return server.post("/v2/models/m/infer", body).status

    assert [look_up(50) for _ in range(3)] == [500, 500, 500]
    until(lambda: server.get("/v2/models/m").json["versions"] == ["1"])
    assert look_up(50) == 200
    reasons = {row["version"]: row["reason"] for row in server.post("/v2/repository/index", {}).json}
    assert "3 failed executions" in reasons["2"]
    assert server.metric("model_rollbacks_total", model="m") == 1
    follow(server)  # nothing on disk has changed: it stays out
    assert server.get("/v2/models/m").json["versions"] == ["1"]
    shutil.rmtree(repository / "m" / "2")
    add(repository, 2, picky(100))  # repaired
    follow(server)
    assert server.get("/v2/models/m").json["versions"] == ["2"]


def test_the_only_version_goes_on_though_it_fails(repository: Path, serve: Serve) -> None:
    put(repository, "m", picky(1), BATCHING)
    server = serve(repository, settings={"breaker": {"failures": 2, "window_seconds": 60}})
    body: dict[str, Any] = {"inputs": [{"name": "x", "datatype": "INT64", "shape": [1, 1], "data": [5]}]}
    assert [server.post("/v2/models/m/infer", body).status for _ in range(4)] == [500] * 4
    body["inputs"][0]["data"] = [0]
    assert server.post("/v2/models/m/infer", body).status == 200


def test_external_data_outside_the_folder_is_not_read(repository: Path, serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(range(4)))
    weights = numpy_helper.from_array(np.zeros(1, np.float32), "w")
    weights.ClearField("raw_data")
    weights.data_location = onnx.TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="../../../secret.bin")
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("N", 1))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ("N", 1))],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    put(repository, "m", model.SerializeToString())
    server = serve(repository)
    assert server.get("/ready").status == 503
    reason = server.post("/v2/repository/index", {}).json[0]["reason"]
    assert reason
    assert str(tmp_path) not in json.dumps(reason)


def test_a_replaced_version_gives_its_session_back(repository: Path, serve: Serve) -> None:
    put(repository, "m", constant(1))
    server = serve(repository)
    replaced = server.server.repository.models["m"].versions[1]
    assert isinstance(replaced, ModelVersion)
    session = weakref.ref(replaced.instances[0].runnable._session)  # type: ignore[attr-defined]
    del replaced
    add(repository, 2, constant(2))
    follow(server)
    until(lambda: session() is None)
