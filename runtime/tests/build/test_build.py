"""Builds from end to end, on real models."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from typing import Any

import jsonschema
import numpy as np
import onnx
import onnxruntime
import pytest

from runtime_testing.building import Workshop, model
from slipform_runtime import cli
from slipform_runtime.build import picture
from slipform_runtime.build.errors import GateMissed
from slipform_runtime.build.report import SCHEMA, schema
from slipform_runtime.fetch.digest import file_sha256

PRECISIONS: list[tuple[str, set[str]]] = [
    ("fp32", set()),
    ("fp16", {"Cast"}),
    ("int8-dynamic", {"DynamicQuantizeLinear", "MatMulInteger"}),
    ("int8-static", {"QuantizeLinear", "DequantizeLinear"}),
]


@pytest.mark.parametrize(("precision", "operators"), PRECISIONS)
def test_each_precision_is_in_the_graph_and_close_to_the_original(
    workshop: Workshop, precision: str, operators: set[str]
) -> None:
    calibration = {"uri": workshop.samples(), "method": "minmax"}
    outcome = workshop.build(precision=precision, calibration=calibration, accept={"max_abs_error": 0.05})
    built = onnx.load(workshop.built / "3" / "model.onnx")
    assert operators <= {node.op_type for node in built.graph.node}
    (accuracy,) = outcome.report.accuracy
    assert accuracy.max_abs_error is not None
    assert accuracy.max_abs_error < 0.05
    assert [timing.batch_size for timing in outcome.report.latency] == [1, 2]
    session = onnxruntime.InferenceSession(workshop.built / "3" / "model.onnx", providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {"x": np.zeros((2, 8), np.float32)})
    assert answer.shape == (2, 4)


def test_a_transposed_product_whose_weights_shape_is_noted_is_quantised(workshop: Workshop) -> None:
    """PyTorch's exporter notes the shapes of weights as well."""
    weight = onnx.numpy_helper.from_array(np.eye(4, 8, dtype=np.float32), "w")
    node = onnx.helper.make_node("Gemm", ["x", "w"], ["probabilities"], transB=1)
    made = model([node], [("x", ("N", 8))], [("probabilities", ("N", 4))], [weight])
    made.graph.value_info.append(onnx.helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, (4, 8)))
    workshop.put(made)
    assert "1 matrix products in INT8" in workshop.build(precision="int8-dynamic").report.steps[1]


@pytest.mark.parametrize("method", ["minmax", "entropy", "percentile"])
def test_a_first_sample_of_nearly_nothing_does_not_fill_the_memory(workshop: Workshop, method: str) -> None:
    array = np.random.default_rng(2).standard_normal((12, 8)).astype(np.float32)
    array[0] = 1e-12
    calibration = {"uri": workshop.samples(x=array), "method": method}
    outcome = workshop.build(precision="int8-static", calibration=calibration)
    assert outcome.report.accuracy[0].finite


def test_the_report_fits_its_schema_and_names_what_was_built(workshop: Workshop) -> None:
    workshop.build()
    folder = workshop.built / "3"
    report = json.loads((folder / "report.json").read_text())
    jsonschema.validate(report, json.loads(SCHEMA.read_text()))
    assert report["files"] == {"model.onnx": file_sha256(folder / "model.onnx")}
    assert report["provenance"]["tools"]["onnxruntime"] == onnxruntime.__version__
    assert (folder / "report.md").read_text().startswith("# wine 3: onnx, fp32\n")
    assert (folder / "report.svg").read_text().startswith("<svg ")


MARKS = [
    ((0.014, 0.034), [0.01, 0.02, 0.05]),
    ((1, 1), [1, 2]),
    ((9.9, 10), [5, 10, 20]),
    ((0.01, 100), [0.01, 0.1, 1, 10, 100]),
]


@pytest.mark.parametrize(("values", "marks"), MARKS)
def test_the_picture_has_round_marks_around_its_values(values: tuple[float, float], marks: list[float]) -> None:
    assert picture._marks(*values) == pytest.approx(marks)


def test_labels_of_the_picture_stand_apart() -> None:
    assert picture._apart([1, 4, 30, 32], lambda size: size * 10) == [32, 4, 1]


def test_the_schema_in_the_repository_is_that_of_the_report() -> None:
    assert json.loads(SCHEMA.read_text()) == schema(), "run python -m slipform_runtime.build.report"


def test_what_was_built_with_the_same_key_is_not_built_again(workshop: Workshop) -> None:
    assert workshop.build().built
    before = (workshop.built / "3").stat().st_ino
    (workshop.models / "3" / "model.onnx").unlink()  # a second build would fail
    assert not workshop.build().built
    assert (workshop.built / "3").stat().st_ino == before


def test_a_missed_gate_leaves_the_old_artefact_and_says_the_figures(workshop: Workshop) -> None:
    repository = workshop.root / "repository"
    workshop.build({"output": repository})
    before = (repository / "wine" / "3" / "report.json").read_bytes()
    with pytest.raises(GateMissed, match=r"max_abs_error .* is over 1e-09 \(output 'probabilities'\)"):
        workshop.build(
            {"output": repository, "reports": workshop.root / "reports"},
            key="fedcba9876543210",
            precision="fp16",
            accept={"max_abs_error": 1e-9},
        )
    assert (repository / "wine" / "3" / "report.json").read_bytes() == before
    assert json.loads((workshop.root / "reports" / "report.json").read_text())["passed"] is False


def test_a_model_repository_gets_the_new_version_in_place_of_one_with_another_key(workshop: Workshop) -> None:
    repository = workshop.root / "repository"
    workshop.build({"output": repository})
    workshop.build({"output": repository}, key="fedcba9876543210", precision="fp16")
    assert json.loads((repository / "wine" / "3" / "report.json").read_text())["precision"] == "fp16"
    assert [path.name for path in (repository / "wine").iterdir()] == ["3"]


def test_two_builds_at_once_leave_one_whole_version(workshop: Workshop) -> None:
    outcomes: list[Any] = []
    builds = [threading.Thread(target=lambda: outcomes.append(workshop.build())) for _ in range(2)]
    for each in builds:
        each.start()
    for each in builds:
        each.join()
    report = json.loads((workshop.built / "3" / "report.json").read_text())
    assert len(outcomes) == 2
    assert report["files"]["model.onnx"] == file_sha256(workshop.built / "3" / "model.onnx")
    assert workshop.left() == ["3"]


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL])
def test_a_build_that_is_ended_publishes_nothing(workshop: Workshop, sent: signal.Signals) -> None:
    """Its samples are on a server that never answers, so that the build is in its middle for sure."""
    scratch = workshop.root / "scratch"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        manifest = workshop.write(samples=f"http://127.0.0.1:{silent.getsockname()[1]}/samples.npz")
        environment = os.environ | {"TMPDIR": str(scratch), "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-m", "slipform_runtime", "build", "--manifest", str(manifest)]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        asked, _ = silent.accept()
        process.send_signal(sent)
        _, said = process.communicate(timeout=60)
        asked.close()
    assert workshop.left() == []
    if sent == signal.SIGTERM:
        assert process.returncode == 143
        assert "nothing was published" in said
        assert list(scratch.glob("slipform-build-*")) == []


def test_a_killed_builds_folder_goes_with_a_later_build(workshop: Workshop) -> None:
    scratch = workshop.root / "scratch"
    killed, working = scratch / "slipform-build-work-killed", scratch / "slipform-build-work-working"
    for folder in (killed, working):
        (folder / "version").mkdir(parents=True)
        os.utime(folder, (0, 0))
    held = os.open(working, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    workshop.build()
    os.close(held)
    assert list(scratch.iterdir()) == [working]


def test_the_command_prints_the_report_and_ends_with_0(workshop: Workshop, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["build", "--manifest", str(workshop.write()), "--json"]
    assert cli.main(arguments) == 0
    assert json.loads(capfd.readouterr().out)["name"] == "wine"
    assert cli.main(arguments) == 0, "the second time it is there already"


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8-dynamic", "int8-static"])
def test_a_transformers_patterns_are_fused_in_each_precision(workshop: Workshop, precision: str) -> None:
    random = np.random.default_rng(0)
    weights = {"w": random.standard_normal((8, 8)), "scale": np.ones(8), "bias": np.zeros(8)}
    nodes = [
        onnx.helper.make_node("MatMul", ["x", "w"], ["m"]),
        onnx.helper.make_node("Add", ["m", "x"], ["a"]),
        onnx.helper.make_node("LayerNormalization", ["a", "scale", "bias"], ["n"], axis=-1, epsilon=1e-5),
        onnx.helper.make_node("Softmax", ["n"], ["probabilities"], axis=-1),
    ]
    shape = ("N", "seq", 8)
    constants = [onnx.numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()]
    workshop.put(model(nodes, [("x", shape)], [("probabilities", shape)], constants))
    outcome = workshop.build(
        precision=precision,
        inputs=[{"name": "x", "dtype": "FP32", "shape": ["seq", 8]}],
        outputs=[],
        profiles=[{"batch": {"min": 1, "opt": 2, "max": 2}, "seq": {"min": 1, "opt": 5, "max": 9}}],
        calibration={"uri": workshop.samples(x=random.standard_normal((12, 5, 8)).astype(np.float32))},
        accept={"max_abs_error": 0.05},
    )
    assert "transformer fused: 1 SkipLayerNormalization" in outcome.report.steps


@pytest.mark.parametrize("negative", [False, True])
def test_generated_token_ids_stay_inside_the_table_of_the_embedding(workshop: Workshop, negative: bool) -> None:
    """Some exporters add the table's rows to what is below zero."""
    table = onnx.numpy_helper.from_array(np.ones((7, 4), np.float32), "table")
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Add", ["ids", "none"], ["sum"]),
            onnx.helper.make_node("Gather", ["table", "sum" if negative else "ids"], ["y"]),
        ],
        "graph",
        [onnx.helper.make_tensor_value_info("ids", onnx.TensorProto.INT64, ("N", "seq"))],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ("N", "seq", 4))],
        [table, onnx.numpy_helper.from_array(np.array(0, np.int64), "none")],
    )
    workshop.put(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9))
    tensors: dict[str, Any] = {
        "inputs": [{"name": "ids", "dtype": "INT64", "shape": ["seq"]}],
        "outputs": [{"name": "y", "dtype": "FP32", "shape": ["seq", 4]}],
        "profiles": [{"batch": {"min": 1, "opt": 2, "max": 2}, "seq": {"min": 1, "opt": 5, "max": 9}}],
    }
    assert workshop.build(**tensors).report.accuracy[0].max_abs_error == 0
