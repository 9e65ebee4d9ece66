"""What a build refuses: with which words, which exit code, and without leaving anything."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from runtime_testing.building import Workshop, model, perceptron
from slipform_runtime import cli
from slipform_runtime.build.errors import BadInput, CannotWrite
from slipform_runtime.build.onnxfile import read

WHOLE = perceptron().SerializeToString()

FILES: list[tuple[str, bytes, str]] = [
    ("truncated", WHOLE[: len(WHOLE) // 2], "truncated, or of another format"),
    ("empty", b"", "model.onnx is empty"),
    ("text", b"not a model", "truncated, or of another format"),
    ("a pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
]


@pytest.mark.parametrize(("data", "words"), [row[1:] for row in FILES], ids=[row[0] for row in FILES])
def test_a_file_that_is_no_whole_model_is_refused(workshop: Workshop, data: bytes, words: str) -> None:
    workshop.put(data)
    with pytest.raises(BadInput, match=words):
        workshop.build()
    assert workshop.left() == []


def test_a_graph_that_the_checker_refuses_is_refused_with_its_words(workshop: Workshop) -> None:
    broken = perceptron()
    broken.graph.node[0].input[0] = "nowhere"
    workshop.put(broken)
    with pytest.raises(BadInput, match="not a valid ONNX model"):
        workshop.build()


MANIFESTS: list[tuple[dict[str, Any], str]] = [
    ({"inputs": [{"name": "y", "dtype": "FP32", "shape": [8]}]}, "input 'y' is not in the model, which has x"),
    (
        {"inputs": [{"name": "x", "dtype": "FP16", "shape": [8]}]},
        "input 'x' is FP32 in the model, FP16 in the manifest",
    ),
    (
        {"inputs": [{"name": "x", "dtype": "FP32", "shape": [9]}]},
        r"has shape \[8\] in the model, \[9\] in the manifest",
    ),
    ({"inputs": [{"name": "x", "dtype": "FP32", "shape": [8, 1]}]}, r"has shape \[8\] in the model, \[8, 1\]"),
    ({"outputs": [{"name": "p", "dtype": "FP32", "shape": [4]}]}, "output 'p' is not in the model"),
    ({"source": {"uri": "file:x", "format": "pytorch"}}, "could not be fetched|is not a folder"),
    ({"samples": "file:///nowhere.npz"}, "is not a file"),
    (
        {"profiles": [{"seq": {"min": 1, "opt": 1, "max": 1}}]},
        "sizes of 'seq', an axis that no input has; there are batch",
    ),
]


@pytest.mark.parametrize(("changes", "words"), MANIFESTS)
def test_a_manifest_that_contradicts_the_model_is_refused(
    workshop: Workshop, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(Exception, match=words):
        workshop.build(**changes)
    assert workshop.left() == []


def test_a_fixed_batch_axis_is_refused_where_batches_are_wanted(workshop: Workshop) -> None:
    node = helper.make_node("Relu", ["x"], ["probabilities"])
    workshop.put(model([node], [("x", (1, 8))], [("probabilities", (1, 8))]))
    with pytest.raises(BadInput, match="has a first axis of 1, and max_batch_size 2 needs one that varies"):
        workshop.build()


def test_an_unknown_operator_is_named_with_its_node(workshop: Workshop) -> None:
    node = helper.make_node("Spectrum", ["x"], ["probabilities"], name="spectrum_3", domain="com.acme")
    workshop.put(model([node], [("x", ("N", 8))], [("probabilities", ("N", 4))], domains=("com.acme",)))
    with pytest.raises(BadInput, match=r"com\.acme:Spectrum.*'spectrum_3'"):
        workshop.build()


def _external(location: str) -> onnx.ModelProto:
    """A model whose first weights are said to be in `location`."""
    made = perceptron()
    tensor = made.graph.initializer[0]
    onnx.external_data_helper.set_external_data(tensor, location, offset=0, length=len(tensor.raw_data))
    tensor.ClearField("raw_data")
    return made


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "link/secret"])
def test_external_data_outside_the_model_folder_is_refused(workshop: Workshop, location: str) -> None:
    (workshop.root / "secret").write_bytes(bytes(4096))
    file = workshop.put(_external(location))
    (file.parent / "link").symlink_to(workshop.root)
    with pytest.raises(BadInput, match="outside the model's folder"):
        read(file)


def test_external_data_that_is_too_short_is_refused(workshop: Workshop) -> None:
    file = workshop.put(_external("weights.bin"))
    (file.parent / "weights.bin").write_bytes(bytes(10))
    with pytest.raises(BadInput, match=r"ends at byte 1024 of 'weights\.bin', which has 10"):
        workshop.build()


def test_external_data_beside_the_model_is_read(workshop: Workshop) -> None:
    weights = numpy_helper.to_array(perceptron().graph.initializer[0]).tobytes()
    file = workshop.put(_external("weights.bin"))
    (file.parent / "weights.bin").write_bytes(weights)
    assert numpy_helper.to_array(read(file).graph.initializer[0]).tobytes() == weights


SAMPLES: list[tuple[dict[str, Any], str]] = [
    ({"x": np.zeros((4, 9), np.float32)}, r"'x' has shape \(4, 9\), the model takes \(samples, 8\)"),
    ({"x": np.zeros((4, 8))}, "'x' is FP64, the model takes FP32"),
    ({"z": np.zeros((4, 8), np.float32)}, "no array 'x'; it has z"),
    ({"x": np.zeros((0, 8), np.float32)}, "there are no samples in it"),
    ({"x": np.array([{}], object)}, "not a .npz file of plain arrays"),
    (
        {"x": np.where(np.eye(12, 8) > 0, np.nan, 1).astype(np.float32)},
        "'x' has NaN or infinity in 8 of its 12 samples, from which no range can be taken",
    ),
    ({"x": np.full((4, 8), np.inf, np.float32)}, "NaN or infinity in 4 of its 4"),
]


@pytest.mark.parametrize(("arrays", "words"), SAMPLES)
def test_a_calibration_set_of_another_shape_is_refused(workshop: Workshop, arrays: Any, words: str) -> None:
    calibration = {"uri": workshop.samples(**arrays)}
    with pytest.raises(BadInput, match=words):
        workshop.build(precision="int8-static", calibration=calibration)
    assert workshop.left() == []


def test_one_array_without_a_name_is_refused(workshop: Workshop) -> None:
    np.save(workshop.root / "samples.npy", np.zeros((4, 8), np.float32))
    with pytest.raises(BadInput, match=r"one array without a name; numpy\.savez"):
        workshop.build(samples=f"file://{workshop.root}/samples.npy")


def test_missing_values_in_samples_are_the_models_to_judge(workshop: Workshop) -> None:
    samples = np.ones((4, 8), np.float32)
    samples[0] = np.nan
    outcome = workshop.build(samples=workshop.samples(x=samples))
    (accuracy,) = outcome.report.accuracy
    assert (accuracy.finite, accuracy.compared, accuracy.max_abs_error) == (True, 0.75, 0)
    page = (workshop.built / "3" / "report.md").read_text()
    assert "Of `probabilities` 75.00% could be compared: the original has NaN" in page


def test_a_model_that_answers_with_nan_alone_is_refused(workshop: Workshop) -> None:
    nodes = [helper.make_node("Log", ["x"], ["l"]), helper.make_node("Log", ["l"], ["probabilities"])]
    workshop.put(model(nodes, [("x", ("N", 8))], [("probabilities", ("N", 8))]))
    with pytest.raises(BadInput, match=r"nothing but NaN and infinity on 4 samples .* give samples"):
        workshop.build(outputs=[], samples=workshop.samples(x=np.full((4, 8), -1, np.float32)))
    assert workshop.left() == []


def test_a_batch_axis_in_name_alone_is_told_by_a_sample_alone(workshop: Workshop) -> None:
    shape = numpy_helper.from_array(np.array([1, 8], np.int64), "shape")
    node = helper.make_node("Reshape", ["x", "shape"], ["probabilities"])
    workshop.put(model([node], [("x", ("N", 8))], [("probabilities", ("N", 8))], [shape]))
    with pytest.raises(BadInput, match="2 at once, and answers one alone: its first axis does not vary"):
        workshop.build(outputs=[])


def test_a_model_without_inputs_is_refused(workshop: Workshop) -> None:
    constant = numpy_helper.from_array(np.zeros(4, np.float32), "c")
    workshop.put(
        model([helper.make_node("Identity", ["c"], ["probabilities"])], [], [("probabilities", (4,))], [constant])
    )
    with pytest.raises(BadInput, match="has no inputs"):
        workshop.build(inputs=[], outputs=[], max_batch_size=0)


def test_reports_that_cannot_be_written_are_said_before_the_long_work(workshop: Workshop) -> None:
    (workshop.root / "reports").write_text("")
    workshop.put(b"")  # which would be said later
    with pytest.raises(CannotWrite, match="reports can't be written"):
        workshop.build({"reports": workshop.root / "reports"})


NOTHING_TO_DO = [("int8-dynamic", "this model has none"), ("int8-static", "this model has none of them")]


@pytest.mark.parametrize(("precision", "words"), NOTHING_TO_DO)
def test_a_model_without_anything_to_quantise_is_refused(workshop: Workshop, precision: str, words: str) -> None:
    node = helper.make_node("Relu", ["x"], ["probabilities"])
    workshop.put(model([node], [("x", ("N", 8))], [("probabilities", ("N", 8))]))
    with pytest.raises(BadInput, match=words):
        workshop.build(precision=precision, outputs=[], calibration={"uri": workshop.samples()})


def test_a_model_of_trees_has_nothing_to_quantise(workshop: Workshop) -> None:
    node = helper.make_node("Normalizer", ["x"], ["probabilities"], domain="ai.onnx.ml", norm="L2")
    scaler = model([node], [("x", ("N", 8))], [("probabilities", ("N", 8))], domains=("ai.onnx.ml",))
    del scaler.opset_import[0]  # as scikit-learn's converter leaves a model without one of ONNX's own operators
    workshop.put(scaler)
    with pytest.raises(BadInput, match="this model has none"):
        workshop.build(precision="int8-dynamic", outputs=[])


EXITS: list[tuple[dict[str, Any], int, str]] = [
    ({"source": {"uri": "file:nowhere", "format": "onnx", "filename": "model.onnx"}}, 3, "is not a folder"),
    ({"max_batch_size": "2"}, 2, r"\$.max_batch_size"),
    ({"colour": "red"}, 2, "unknown field `colour`"),
    ({"precision": "int8-static"}, 2, "needs samples: add calibration"),
    ({"target": "tensorrt", "precision": "int8-dynamic"}, 2, "TensorRT has no dynamic INT8"),
    (
        {"output": {"uri": "ftp://host/x", "filename": "model.onnx"}},
        2,
        "no scheme that can be written: file:, s3:, gs:",
    ),
    ({"output": {"uri": "file:///proc/nope", "filename": "model.onnx"}}, 6, "can't be written"),
    ({"profiles": [{"batch": {"min": 4, "opt": 2, "max": 8}}]}, 2, "must rise"),
]


@pytest.mark.parametrize(("changes", "code", "words"), EXITS)
def test_the_exit_code_says_what_kind_of_error_it_was(
    workshop: Workshop, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], code: int, words: str
) -> None:
    assert cli.main(["build", "--manifest", str(workshop.write(**changes))]) == code
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert words.replace("\\", "") in said


def test_another_digest_ends_with_4(workshop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    source = workshop.manifest["source"] | {"sha256": "0" * 64}
    assert cli.main(["build", "--manifest", str(workshop.write(source=source))]) == 4
    assert "the manifest wants 0000" in capsys.readouterr().err


def _can_mount() -> bool:
    unshare = shutil.which("unshare")
    return bool(unshare) and subprocess.run([str(unshare), "-rm", "true"], capture_output=True).returncode == 0


@pytest.mark.skipif(sys.platform != "linux" or not _can_mount(), reason="needs a mount namespace of its own")
@pytest.mark.parametrize("full", ["scratch", "built"])
def test_a_full_disk_ends_with_6_and_leaves_no_version(workshop: Workshop, full: str) -> None:
    """On a real file system of 64 KiB, in a mount namespace of the test's own."""
    workshop.put(perceptron(hidden=8192))
    workshop.built.mkdir()
    disk = workshop.root / full
    build = (
        f"TMPDIR={workshop.root / 'scratch'} {sys.executable} -m slipform_runtime build --manifest {workshop.write()}"
    )
    script = f"mount -t tmpfs -o size=64k none {disk} && {build}; code=$?; ls -A {workshop.built}; exit $code"
    environment = {
        "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
        "PYTHONPATH": ":".join(entry for entry in sys.path if entry),
    }
    ended = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, env=environment, check=False
    )
    assert ended.returncode == 6, ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout.splitlines()[-1].startswith("{"), "nothing is listed after the log"


@pytest.mark.parametrize("size", [0, 1, 7, 40, 200, 900])
def test_no_truncation_of_a_model_is_anything_but_bad_input(tmp_path: Path, size: int) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(WHOLE[:size])
    with pytest.raises(BadInput):
        read(file)
