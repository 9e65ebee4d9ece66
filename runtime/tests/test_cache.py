"""The response cache: what is the same question, and for how long the answer holds."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime_testing.holding import held
from runtime_testing.models import add_sub, constant, picky, put
from runtime_testing.serving import RunningServer
from runtime_testing.waiting import until
from slipform_runtime.cache import ResponseCache

Serve = Callable[..., RunningServer]
CACHED = "max_batch_size: 8\ndynamic_batching {}\nresponse_cache { enable: true }\n"
A = np.arange(4, dtype=np.float32)


def key(inputs: dict[str, Any], model: str = "m", version: str = "1", wanted: tuple[str, ...] | None = None) -> Any:
    return ResponseCache.key(model, version, inputs, wanted)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(key({"x": A.reshape(2, 2)}), id="another shape"),
        pytest.param(key({"x": A.view(np.int32)}), id="another dtype with the same bytes"),
        pytest.param(key({"y": A}), id="another name"),
        pytest.param(key({"x": A + 1}), id="another value"),
        pytest.param(key({"x": A}, model="n"), id="another model"),
        pytest.param(key({"x": A}, version="2"), id="another version"),
        pytest.param(key({"x": A}, wanted=("y",)), id="another list of outputs"),
        pytest.param(key({"x": A, "z": A}), id="one more input"),
    ],
)
def test_another_question_misses(other: Any) -> None:
    assert key({"x": A}) != other


def test_the_order_of_the_inputs_does_not_matter() -> None:
    assert key({"x": A, "y": A + 1}) == key({"y": A + 1, "x": A})


def test_bytes_elements_cannot_run_into_each_other() -> None:
    def texts(*values: bytes) -> Any:
        array = np.empty(len(values), np.object_)
        array[:] = values
        return array

    assert key({"x": texts(b"ab", b"c")}) != key({"x": texts(b"a", b"bc")})


def test_an_answer_is_forgotten_after_its_time() -> None:
    cache = ResponseCache(10_000, ttl_seconds=10)
    cache.put(key({"x": A}), {"y": A}, now=0)
    assert cache.get(key({"x": A}), now=9.9) is not None
    assert cache.get(key({"x": A}), now=10) is None
    assert cache.size_bytes == 0


def test_the_least_recently_used_answer_leaves_first() -> None:
    cache = ResponseCache(2 * (512 + A.nbytes), ttl_seconds=10)
    first, second, third = (key({"x": A + n}) for n in range(3))
    cache.put(first, {"y": A}, 0)
    cache.put(second, {"y": A}, 0)
    cache.get(first, 0)
    cache.put(third, {"y": A}, 0)
    assert [cache.get(one, 0) is not None for one in (first, second, third)] == [True, False, True]


def test_an_answer_over_the_limit_is_not_kept() -> None:
    cache = ResponseCache(100, ttl_seconds=10)
    cache.put(key({"x": A}), {"y": np.zeros(1000)}, 0)
    assert (len(cache), cache.size_bytes) == (0, 0)


def infer(server: RunningServer, model: str, **tensor: Any) -> Any:
    given = {"name": "x", "datatype": "INT64", "shape": [1, 1], "data": [3], **tensor}
    return server.post(f"/v2/models/{model}/infer", {"inputs": [given]})


def test_the_second_request_is_answered_without_running(repository: Path, serve: Serve) -> None:
    put(repository, "m", picky(), CACHED)
    server = serve(repository)
    assert infer(server, "m").json["outputs"] == infer(server, "m").json["outputs"]
    counted = server.get("/v2/models/m/stats").json["model_stats"][0]
    assert (counted["inference_count"], counted["execution_count"]) == (1, 1)
    stats = counted["inference_stats"]
    assert {name: stats[name]["count"] for name in ("success", "queue", "cache_hit", "cache_miss")} == {
        "success": 2,
        "queue": 2,
        "cache_hit": 1,
        "cache_miss": 1,
    }
    assert server.metric("cache_hit_rate", model="m") == 0.5


def test_failures_are_not_kept(repository: Path, serve: Serve) -> None:
    put(repository, "m", picky(), CACHED)
    server = serve(repository)
    assert [infer(server, "m", data=[99]).status for _ in range(2)] == [500, 500]
    assert server.metric("cache_hits_total", model="m") == 0


def test_simultaneous_equal_requests_run_once(repository: Path, serve: Serve) -> None:
    put(repository, "m", constant(1), CACHED)
    server = serve(repository)
    with ThreadPoolExecutor(6) as clients, held(server, "m"):
        answers = [clients.submit(infer, server, "m", datatype="FP32") for _ in range(6)]
        until(lambda: server.metric("model_active_requests", model="m") == 6)
    assert [answer.result().status for answer in answers] == [200] * 6
    assert server.metric("nv_inference_exec_count", model="m") == 1
    assert server.metric("model_active_requests", model="m") == 0


def test_a_reload_forgets_the_answers(repository: Path, serve: Serve) -> None:
    folder = put(repository, "m", constant(1), CACHED)
    server = serve(repository, model_control_mode="explicit", load_models=("m",))
    assert infer(server, "m", datatype="FP32").json["outputs"][0]["data"] == [1]
    (folder / "1" / "model.onnx").write_bytes(constant(2).SerializeToString())
    assert server.post("/v2/repository/models/m/load", {}).status == 200
    assert infer(server, "m", datatype="FP32").json["outputs"][0]["data"] == [2]


def test_a_model_without_the_cache_enabled_has_none(repository: Path, serve: Serve) -> None:
    put(repository, "m", add_sub(), "max_batch_size: 8\n")
    server = serve(repository)
    inputs = [{"name": f"INPUT{n}", "datatype": "INT32", "shape": [1, 4], "data": [1, 2, 3, 4]} for n in (0, 1)]
    for _ in range(2):
        assert server.post("/v2/models/m/infer", {"inputs": inputs}).status == 200
    assert server.metric("nv_inference_count", model="m") == 2
