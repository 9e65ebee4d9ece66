"""OpenVINO and ORT format: built, loaded and run by the real libraries."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from runtime_testing.building import Workshop, model, perceptron
from slipform_runtime.build.errors import BadInput
from slipform_runtime.build.precision.int8_weights import to_int8_weights
from slipform_runtime.build.targets.ort import OPERATORS


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8-dynamic", "int8-static"])
def test_openvino_answers_as_the_original_does(workshop: Workshop, precision: str) -> None:
    pytest.importorskip("openvino")
    outcome = workshop.build(
        target="openvino",
        precision=precision,
        output={"uri": f"file://{workshop.built}", "filename": "model.xml"},
        calibration={"uri": workshop.samples(), "method": "minmax"},
        accept={"max_abs_error": 0.05},
    )
    assert set(outcome.report.files) == {"model.xml", "model.bin"}
    assert "openvino" in outcome.report.provenance.tools


@pytest.mark.parametrize("transposed", [False, True])
def test_dynamic_int8_for_openvino_is_weights_of_8_bits_by_channel(transposed: bool) -> None:
    made = perceptron()
    if transposed:
        weight = made.graph.initializer[0]
        weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight).T.copy(), weight.name))
        made.graph.node[0].op_type = "Gemm"
        made.graph.node[0].attribute.append(onnx.helper.make_attribute("transB", 1))
    given = np.random.default_rng(0).standard_normal((16, 8)).astype(np.float32)
    quantised, step = to_int8_weights(made)
    onnx.checker.check_model(quantised, full_check=True)
    sizes = {tensor.name: tensor.data_type for tensor in quantised.graph.initializer if len(tensor.dims) == 2}
    assert set(sizes.values()) == {onnx.TensorProto.INT8}
    assert step == "weights of 2 matrix products in INT8 by channel"
    answers = [
        onnxruntime.InferenceSession(each.SerializeToString(), providers=["CPUExecutionProvider"]).run(
            None, {"x": given}
        )
        for each in (made, quantised)
    ]
    assert 0 < np.abs(answers[0][0] - answers[1][0]).max() < 0.01


@pytest.mark.parametrize("precision", ["fp32", "int8-dynamic"])
def test_ort_format_comes_with_the_operators_that_it_needs(workshop: Workshop, precision: str) -> None:
    outcome = workshop.build(
        target="ort", precision=precision, output={"uri": f"file://{workshop.built}", "filename": "model.ort"}
    )
    operators = (workshop.built / "3" / OPERATORS).read_text()
    assert "Softmax" in operators
    assert ("DynamicQuantizeMatMul" in operators) == (precision == "int8-dynamic")
    assert "tmp" not in operators, "no path of the machine that built it"
    assert outcome.report.accuracy[0].finite


BUDGETS: list[tuple[dict[str, Any], str]] = [
    ({"max_size_bytes": 10}, "max_size_bytes .* is over 10"),
    ({"max_p95_latency_ms": 1e-9}, "max_p95_latency_ms .* is over 1e-09"),
    ({"min_speedup": 1e6}, "min_speedup .* is below 1e"),
]


@pytest.mark.parametrize(("accept", "words"), BUDGETS)
def test_a_device_budget_is_a_gate(workshop: Workshop, accept: dict[str, Any], words: str) -> None:
    output = {"uri": f"file://{workshop.built}", "filename": "model.ort"}
    with pytest.raises(Exception, match=words):
        workshop.build(target="ort", output=output, accept=accept)
    assert workshop.left() == []


def test_an_operator_that_openvino_lacks_is_named_with_its_node(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino")
    node = onnx.helper.make_node("Inverse", ["x"], ["probabilities"], name="inverse_7", domain="com.microsoft")
    graph = model([node], [("x", ("N", 8, 8))], [("probabilities", ("N", 8, 8))], domains=("com.microsoft",))
    workshop.put(graph)
    tensors: dict[str, Any] = {
        "inputs": [{"name": "x", "dtype": "FP32", "shape": [8, 8]}],
        "outputs": [{"name": "probabilities", "dtype": "FP32", "shape": [8, 8]}],
    }
    output = {"uri": f"file://{workshop.built}", "filename": "model.xml"}
    with pytest.raises(BadInput, match=r"OpenVINO .* has no com\.microsoft\.Inverse \(node 'inverse_7'\)"):
        workshop.build(target="openvino", output=output, **tensors)
