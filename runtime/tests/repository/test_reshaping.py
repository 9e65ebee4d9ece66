"""Clients see a tensor in the shape of the config, the model has it in its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http

from runtime_testing.models import add_sub, constant, identity, put
from runtime_testing.serving import RunningServer
from slipform_runtime.errors import ModelLoadError
from slipform_runtime.protos import ModelConfig
from slipform_runtime.repository.reshaping import models_dims, reshaped

Serve = Callable[..., RunningServer]


def tensor(dims: list[int], shape: list[int], field: str = "input") -> Any:
    config = ModelConfig()
    return getattr(config, field).add(name="x", dims=dims, reshape={"shape": shape})


@pytest.mark.parametrize(
    ("dims", "shape"),
    [
        ([1], []),
        ([2, 6], [12]),
        ([4], [4, 1, 1]),
        ([-1], [-1, 1]),
        ([2, 4, -1, 6], [8, -1, 1, 6]),
        ([-1, -1], [-1, -1]),
    ],
)
def test_shapes_of_the_same_elements_are_the_models(dims: list[int], shape: list[int]) -> None:
    assert models_dims("input", tensor(dims, shape)) == tuple(shape)


@pytest.mark.parametrize(
    ("dims", "shape"),
    [
        ([2], []),
        ([4], [5]),
        ([-1], [1]),
        ([-1, 4], [4, -1]),
        ([-1, 2], [-1, -1]),
        ([4], [-4, -1]),
        ([0], [0]),
        ([], [2]),
    ],
)
def test_shapes_of_other_elements_are_refused(dims: list[int], shape: list[int]) -> None:
    with pytest.raises(ModelLoadError, match="both need the same number of elements"):
        models_dims("input", tensor(dims, shape))


class Recording:
    """Gives back what it is given."""

    inputs = outputs = ()
    shapes: tuple[int, ...] = ()

    def run(self, inputs: dict[str, Any], outputs: Any) -> dict[str, Any]:
        self.shapes = inputs["x"].shape
        return {"x": inputs["x"]}

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("dims", "shape", "given", "seen"),
    [
        ([1], [], (3, 1), (3,)),
        ([6], [2, 3], (3, 6), (3, 2, 3)),
        ([2, -1, 3], [1, 2, -1, 1, 3], (5, 2, 7, 3), (5, 1, 2, 7, 1, 3)),
        ([-1, 2, -1], [-1, 2, 1, -1], (1, 4, 2, 0), (1, 4, 2, 1, 0)),
    ],
)
@pytest.mark.parametrize("batched", [True, False])
def test_the_model_sees_its_shape_and_the_client_the_configs(
    dims: list[int], shape: list[int], given: tuple[int, ...], seen: tuple[int, ...], batched: bool
) -> None:
    config = ModelConfig(max_batch_size=8 if batched else 0)
    for tensors in (config.input, config.output):
        tensors.add(name="x", dims=dims, reshape={"shape": shape})
    given, seen = (given, seen) if batched else (given[1:], seen[1:])
    model = Recording()
    value = np.arange(np.prod(given)).reshape(given)
    found = reshaped(model, config).run({"x": value}, None)["x"]  # type: ignore[arg-type]
    assert model.shapes == seen
    np.testing.assert_array_equal(found, value)


def test_a_model_without_it_is_as_it_was() -> None:
    config, model = ModelConfig(), Recording()
    config.input.add(name="x", dims=[1])
    assert reshaped(model, config) is model  # type: ignore[arg-type,comparison-overlap]


def test_a_batch_that_is_the_whole_shape_has_a_dimension_for_clients(repository: Path, serve: Serve) -> None:
    """Triton's own example of it: the model takes [ batch ], of which clients send [ batch, 1 ]."""
    names = ("INPUT0", "INPUT1"), ("OUTPUT0", "OUTPUT1")
    inputs, outputs = (
        ", ".join(f'{{ name: "{name}" data_type: TYPE_INT32 dims: [ 1 ] reshape: {{ shape: [ ] }} }}' for name in row)
        for row in names
    )
    config = f"max_batch_size: 8 dynamic_batching {{}} input [ {inputs} ] output [ {outputs} ]"
    put(repository, "simple", add_sub(dims=("N",)), config)
    server = serve(repository)
    assert server.get("/v2/models/simple").json["inputs"][0]["shape"] == [-1, 1]
    a, b = np.array([[7], [8]], np.int32), np.array([[1], [2]], np.int32)
    for library, port in ((tritonclient.grpc, server.grpc_port), (tritonclient.http, server.http_port)):
        client = library.InferenceServerClient(f"127.0.0.1:{port}")
        given = [library.InferInput(name, [2, 1], "INT32") for name in names[0]]
        given[0].set_data_from_numpy(a)
        given[1].set_data_from_numpy(b)
        result = client.infer("simple", given)
        np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), a + b)
        np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), a - b)
    assert server.post("/predict", {"inputs": {"INPUT0": [1], "INPUT1": [2]}}).json["outputs"]["OUTPUT0"] == [3]


def test_a_model_without_a_batch_axis_is_reshaped_whole(repository: Path, serve: Serve) -> None:
    put(
        repository,
        "echo",
        identity(dims=(1, 2, "N", 3)),
        """input { name: "x" data_type: TYPE_FP32 dims: [2, -1, 3] reshape { shape: [1, 2, -1, 3] } }
        output { name: "y" data_type: TYPE_FP32 dims: [2, -1, 3] reshape { shape: [1, 2, -1, 3] } }""",
    )
    value = np.arange(24).reshape(2, 4, 3).tolist()
    assert serve(repository).post("/predict", {"inputs": value}).json["outputs"] == value


def test_an_ensembles_tensors_are_not_reshaped(repository: Path, serve: Serve) -> None:
    put(repository, "one", constant(1.0), "max_batch_size: 4")
    (repository / "pipeline" / "1").mkdir(parents=True)
    (repository / "pipeline" / "config.pbtxt").write_text(
        """
        platform: "ensemble" max_batch_size: 4
        input { name: "x" data_type: TYPE_FP32 dims: [1, 1] reshape { shape: [1] } }
        output { name: "y" data_type: TYPE_FP32 dims: [1] }
        ensemble_scheduling { step { model_name: "one" model_version: -1
          input_map { key: "x" value: "x" } output_map { key: "y" value: "y" } } }
        """
    )
    index = serve(repository).post("/v2/repository/index", {}).json
    assert "reshape is for the models that it is made of" in next(row["reason"] for row in index if row["reason"])
