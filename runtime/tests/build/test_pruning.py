"""Pruning: the sparsity that was asked for, a graph that still runs, and the same answers where nothing was lost."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from runtime_testing.building import Workshop, model, perceptron
from slipform_runtime.build.errors import BadInput
from slipform_runtime.build.markdown import markdown
from slipform_runtime.build.pruning.structured import remove_channels


def weights(made: onnx.ModelProto) -> dict[str, Any]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in made.graph.initializer}


def answers(made: onnx.ModelProto, given: Any) -> Any:
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": given})[0]


@pytest.mark.parametrize("scope", ["tensor", "global"])
@pytest.mark.parametrize("sparsity", [0.25, 0.5, 0.9])
def test_the_smallest_weights_become_zero(workshop: Workshop, sparsity: float, scope: str) -> None:
    outcome = workshop.build(pruning={"sparsity": sparsity, "scope": scope})
    built = weights(onnx.load(workshop.built / "3" / "model.onnx"))
    original = weights(perceptron())
    for name, value in built.items():
        kept = value != 0
        assert np.array_equal(value[kept], original[name][kept])
        assert np.abs(original[name][kept]).min() >= np.abs(original[name][~kept]).max(initial=0)
    zeros = sum(np.count_nonzero(value == 0) for value in built.values())
    assert outcome.report.pruning is not None
    assert outcome.report.pruning.sparsity_reached == pytest.approx(zeros / (8 * 32 + 32 * 4), abs=1e-4)
    assert outcome.report.pruning.sparsity_reached == pytest.approx(sparsity, abs=0.02)
    assert f"of {sparsity:.1%}" in markdown(outcome.report)


def test_structured_pruning_makes_the_graph_smaller(workshop: Workshop) -> None:
    outcome = workshop.build(pruning={"method": "structured", "sparsity": 0.5})
    built = weights(onnx.load(workshop.built / "3" / "model.onnx"))
    assert sorted(value.shape for value in built.values()) == [(8, 16), (16, 4)]
    assert outcome.report.pruning is not None
    assert outcome.report.pruning.weights_after * 2 == outcome.report.pruning.weights_before
    assert outcome.report.built.footprint.size_bytes < outcome.report.original.footprint.size_bytes


@pytest.mark.parametrize("precision", ["fp16", "int8-dynamic", "int8-static"])
@pytest.mark.parametrize("method", ["magnitude", "structured"])
def test_a_pruned_model_takes_each_precision(workshop: Workshop, method: str, precision: str) -> None:
    calibration = {"uri": workshop.samples()}
    pruning = {"method": method, "sparsity": 0.3}
    assert workshop.build(pruning=pruning, precision=precision, calibration=calibration).report.accuracy[0].finite


def convolutions(random: np.random.Generator, dead: tuple[int, ...]) -> onnx.ModelProto:
    """A small network with what real ones have: a residual sum, a depthwise convolution, batch norm, a gate, a pool,
    flattened images. Channels `dead` of the shared width are zero, so that removing them loses nothing."""
    width = 8

    def tensor(name: str, *shape: int) -> Any:
        return numpy_helper.from_array(random.standard_normal(shape).astype(np.float32), name)

    def makes(name: str, *shape: int) -> Any:
        value = random.standard_normal(shape).astype(np.float32)
        value[list(dead)] = 0
        return numpy_helper.from_array(value, name)

    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2", "b2"], ["c2"], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["r1", "c2"], ["sum"]),
        helper.make_node("HardSigmoid", ["sum"], ["gate"]),
        helper.make_node("Mul", ["sum", "gate"], ["gated"]),
        helper.make_node("Conv", ["gated", "dw"], ["deep"], group=width, pads=[1, 1, 1, 1]),
        helper.make_node("Mul", ["deep", "scale"], ["scaled"]),
        helper.make_node("MaxPool", ["scaled"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w3", "b3"], ["y"], transB=1),
    ]
    constants = [
        makes("w1", width, 3, 3, 3), makes("b1", width), makes("w2", width, width, 3, 3), makes("b2", width),
        tensor("dw", width, 1, 3, 3), tensor("scale", width, 1, 1), tensor("w3", 5, width * 4), tensor("b3", 5),
    ]  # fmt: skip
    return model(nodes, [("x", ("N", 3, 4, 4))], [("y", ("N", 5))], constants)


def test_removing_channels_that_are_zero_changes_no_answer() -> None:
    """Through a residual sum, a depthwise convolution, a broadcast scale and a flattened image."""
    random = np.random.default_rng(0)
    made = convolutions(random, dead=(1, 2, 5, 7))
    given = random.standard_normal((3, 3, 4, 4)).astype(np.float32)
    before = answers(made, given)
    assert remove_channels(made, 0.5) == (4, 8)
    onnx.checker.check_model(made, full_check=True)
    assert weights(made)["w2"].shape == (4, 4, 3, 3)
    assert weights(made)["w3"].shape == (5, 16)
    assert np.allclose(answers(made, given), before, atol=1e-5)


@pytest.mark.parametrize("sparsity", [0.1, 0.3, 0.6, 0.99])
def test_any_share_of_channels_leaves_a_graph_that_runs(sparsity: float) -> None:
    made = convolutions(np.random.default_rng(1), dead=())
    removed, channels = remove_channels(made, sparsity)
    assert channels == 8
    assert removed == min(int(sparsity * 8), 7)
    assert answers(made, np.ones((2, 3, 4, 4), np.float32)).shape == (2, 5)


def test_channels_that_are_seen_outside_stay(workshop: Workshop) -> None:
    """A softmax between two products mixes the channels; an output of the model shows them."""
    made = perceptron()
    made.graph.node[1].op_type = "Softmax"
    with pytest.raises(BadInput, match="structured pruning removes channels between two convolutions or products"):
        remove_channels(made, 0.5)
    shown = perceptron()
    shown.graph.output.append(helper.make_tensor_value_info("r", onnx.TensorProto.FLOAT, ("N", 32)))
    with pytest.raises(BadInput, match="use method magnitude"):
        remove_channels(shown, 0.5)


def test_weights_that_two_products_share_stay() -> None:
    random = np.random.default_rng(0)
    square = numpy_helper.from_array(random.standard_normal((8, 8)).astype(np.float32), "w")
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("MatMul", ["a", "w"], ["y"]),
    ]
    with pytest.raises(BadInput, match="none that nothing else looks at"):
        remove_channels(model(nodes, [("x", ("N", 8))], [("y", ("N", 8))], [square]), 0.5)


def test_a_model_without_products_has_nothing_to_prune(workshop: Workshop) -> None:
    node = helper.make_node("Relu", ["x"], ["probabilities"])
    workshop.put(model([node], [("x", ("N", 8))], [("probabilities", ("N", 8))]))
    with pytest.raises(BadInput, match="this model has none that are constant"):
        workshop.build(outputs=[], pruning={"sparsity": 0.5})


@pytest.mark.parametrize("sparsity", [0, 1, 1.5])
def test_a_share_that_is_none_is_refused(workshop: Workshop, sparsity: float) -> None:
    with pytest.raises(BadInput, match=r"\$\.pruning\.sparsity"):
        workshop.build(pruning={"sparsity": sparsity})
