"""``slipform init``: what is read of a model, assumed and refused; and that the spec is right and serves."""

from __future__ import annotations

import io
import json
import os
import pickle
import pty
import zipfile
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from typer.testing import CliRunner, Result

from slipform.cli.app import app
from slipform.project import check
from slipform.spec.findings import SlipformError
from slipform.starting.draft import batching, name_of
from slipform.starting.models.recognise import read
from slipform.starting.models.signature import Unreadable
from slipform.starting.repository import write_repository

from .environment import Environment, post
from .networks import classifier, identity, network, tensor, with_weights_beside_it
from .test_formats import script


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new repository, as the working directory."""
    write_repository(tmp_path / "models")
    monkeypatch.chdir(tmp_path / "models")
    return tmp_path / "models"


def init(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["init", *map(str, arguments)], catch_exceptions=True)


def refusal(*arguments: str | Path) -> str:
    """The message of what the user can put right; nothing else may be raised."""
    done = init(*arguments)
    assert isinstance(done.exception, SlipformError), done.exc_info
    return str(done.exception)


def spec_of(file: Path) -> dict[str, object]:
    data: dict[str, object] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return data


# -- what is read --------------------------------------------------------------------------------

TENSORS = [
    # the file's shape, what the spec says of it, the largest batch
    (["batch", 4], [4], 32),
    ([None, 4], [4], 32),
    (["N", 3, 224, 224], [3, 224, 224], 32),
    (["batch", "seq"], ["seq"], 32),
    (["batch_boxes", 4], [4], 32),
    ([None, 3, None, None], [3, "height", "width"], 32),
    ([None, None, None, 1], ["height", "width", 1], 32),
    (["unk__1", 3, "unk__2", "p2o.Dim.1"], [3, "unk__2", "width"], 32),
    ([None, None, 80], ["x_1", 80], 32),
    (["batch"], [], 32),
    ([1, 4], [1, 4], 0),
    ([7], [7], 0),
    (["sequence_length", 80], ["sequence_length", 80], 0),
    (["num_detections", 7], ["num_detections", 7], 0),
    ([], [], 0),
]


@pytest.mark.parametrize(("shape", "expected", "largest"), TENSORS, ids=lambda value: str(value))
def test_axes_are_the_files(
    project: Path, tmp_path: Path, shape: list[int | str | None], expected: list[int | str], largest: int
) -> None:
    assert init(identity(tmp_path / "net-a.onnx", shape)).exit_code == 0
    spec = spec_of(project / "model_specs" / "net-a.yaml")
    assert spec["model"]["inputs"] == [{"name": "x", "dtype": "FP32", "shape": expected}]  # type: ignore[index]
    assert spec["serving"]["batching"] == {"max_batch_size": largest}  # type: ignore[index]
    assert check(project, [project / "model_specs" / "net-a.yaml"]) == ()


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        (TensorProto.FLOAT, "FP32"), (TensorProto.DOUBLE, "FP64"), (TensorProto.FLOAT16, "FP16"),
        (TensorProto.BOOL, "BOOL"), (TensorProto.STRING, "BYTES"),
        (TensorProto.INT8, "INT8"), (TensorProto.INT16, "INT16"), (TensorProto.INT32, "INT32"),
        (TensorProto.INT64, "INT64"), (TensorProto.UINT8, "UINT8"), (TensorProto.UINT16, "UINT16"),
        (TensorProto.UINT32, "UINT32"), (TensorProto.UINT64, "UINT64"),
    ],
)  # fmt: skip
def test_types_have_the_protocols_names(tmp_path: Path, kind: int, dtype: str) -> None:
    (found,) = read(identity(tmp_path / "a.onnx", ["batch", 2], kind)).inputs
    assert found.dtype == dtype


@given(
    axes=st.lists(
        st.one_of(st.none(), st.integers(1, 512), st.from_regex(r"[A-Za-z_]{1,12}", fullmatch=True)), max_size=5
    ),
    name=st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=1, max_size=20),
)
@settings(max_examples=60, deadline=None)
def test_every_shape_becomes_a_right_spec(
    tmp_path_factory: pytest.TempPathFactory, axes: list[int | str | None], name: str
) -> None:
    folder = tmp_path_factory.mktemp("any")
    write_repository(folder / "p", "p")
    file = network(folder / "p" / "net.onnx", [tensor(name, axes)], [tensor(name + "_out", axes)])
    before = Path.cwd()
    os.chdir(folder / "p")
    try:
        done = init(file, "--name", "any")
    finally:
        os.chdir(before)
    assert done.exit_code == 0, done.exception
    assert check(folder / "p", [folder / "p" / "model_specs" / "any.yaml"]) == ()


def test_constants_are_no_inputs(tmp_path: Path) -> None:
    weights = helper.make_tensor("w", TensorProto.FLOAT, [4], [1, 2, 3, 4])
    file = network(
        tmp_path / "a.onnx",
        [tensor("x", ["batch", 4]), tensor("w", [4])],
        [tensor("y", ["batch", 4])],
        [helper.make_node("Add", ["x", "w"], ["y"])],
        [weights],
    )
    assert [each.name for each in read(file).inputs] == ["x"]


def test_an_output_of_unknown_shape_is_left_to_the_runtime(project: Path, tmp_path: Path) -> None:
    file = network(tmp_path / "a1.onnx", [tensor("x", ["batch", 4])], [tensor("y", None)])
    done = init(file)
    spec = spec_of(project / "model_specs" / "a1.yaml")
    assert "outputs" not in spec["model"]  # type: ignore[operator]
    assert "y has no shape in the file, so each request runs alone" in done.output
    assert spec["model"]["inputs"][0]["shape"] == ["batch", 4]  # type: ignore[index]


def test_what_a_file_says_of_itself_stays_a_remark(project: Path, tmp_path: Path) -> None:
    file = identity(tmp_path / "a1.onnx", ["batch", 2])
    model = onnx.load(file)
    model.producer_name = "me\nteam: thieves\u2028labels: {}\n"
    onnx.save(model, file)
    assert init(file).exit_code == 0
    assert "team" not in spec_of(project / "model_specs" / "a1.yaml")


def test_a_classifiers_labels_are_the_models(project: Path, tmp_path: Path) -> None:
    init(classifier(tmp_path / "tickets.onnx", ["billing", "delivery", "outage"]))
    outputs = spec_of(project / "model_specs" / "tickets.yaml")["model"]["outputs"]  # type: ignore[index]
    assert outputs[-1] == {
        "name": "probabilities", "dtype": "FP32", "shape": [3], "labels": ["billing", "delivery", "outage"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("Churn_v2.0.onnx", "churn-v2-0"),
        ("3d-shapes.onnx", "d-shapes"),
        ("fraud/1/model.onnx", "fraud"),
        ("churn/export/best.onnx", "churn"),
        ("a-name-that-is-longer-than-kubernetes-takes-with-all.onnx", "a-name-that-is-longer-than-kubernetes"),
        ("x" * 60 + ".onnx", "x" * 40),
    ],
)
def test_the_name_is_the_files_or_its_folders(tmp_path: Path, file: str, name: str) -> None:
    assert name_of(read(identity(tmp_path / file, ["batch", 2])))[0] == name


# -- where the model lies ------------------------------------------------------------------------


def test_a_model_from_elsewhere_is_copied_once(project: Path, tmp_path: Path) -> None:
    source = identity(tmp_path / "downloads" / "churn.onnx", ["batch", 2])
    assert "copied the model to model_specs/models/churn/1" in init(source).output
    copied = project / "model_specs" / "models" / "churn" / "1" / "model.onnx"
    assert copied.read_bytes() == source.read_bytes()
    (project / "model_specs" / "churn.yaml").unlink()
    assert "copied" not in init(source).output


def test_a_model_of_the_project_stays_where_it_is(project: Path) -> None:
    identity(project / "exports" / "churn.onnx", ["batch", 2])
    assert init("exports/churn.onnx").exit_code == 0
    assert spec_of(project / "model_specs" / "churn.yaml")["model"]["uri"] == "file:exports/churn.onnx"  # type: ignore[index]
    identity(project / "exports" / "fraud" / "7" / "model.onnx", ["batch", 2])
    assert init("exports/fraud").exit_code == 0
    model = spec_of(project / "model_specs" / "fraud.yaml")["model"]
    assert (model["uri"], model["version"]) == ("file:exports/fraud", 7)  # type: ignore[index]


def test_an_address_elsewhere_gets_the_digest_and_the_size(project: Path, tmp_path: Path) -> None:
    file = identity(tmp_path / "churn.onnx", ["batch", 2])
    done = init(file, "--uri", "s3://acme-models/churn")
    assert f"slipform serve model_specs/churn.yaml --model {file}" in done.output
    model = spec_of(project / "model_specs" / "churn.yaml")["model"]
    assert model["uri"] == "s3://acme-models/churn"  # type: ignore[index]
    assert model["size"] == "1Ki"  # type: ignore[index]
    assert len(model["sha256"]) == 64  # type: ignore[index]
    assert not (project / "model_specs" / "models" / "churn").exists()
    init(identity(tmp_path / "late" / "12" / "model.onnx", ["batch", 2]), "--uri", "s3://acme-models/late")
    assert spec_of(project / "model_specs" / "late.yaml")["model"]["version"] == 12  # type: ignore[index]


def test_a_model_too_large_for_a_cluster_is_a_warning(project: Path, tmp_path: Path) -> None:
    weights = helper.make_tensor("w", TensorProto.FLOAT, [200_000], bytes(800_000), raw=True)
    file = network(
        tmp_path / "large.onnx", [tensor("x", ["batch", 200_000])], [tensor("y", ["batch", 200_000])],
        [helper.make_node("Add", ["x", "w"], ["y"])], [weights],
    )  # fmt: skip
    done = init(file)
    assert done.exit_code == 0
    assert "a cluster gets at most 700 KiB from a project: upload it" in done.output
    assert "model_specs/models/large/1 is a copy: git would keep all of it" in done.output


def test_outside_a_project_a_spec_is_written_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    identity(tmp_path / "churn.onnx", ["batch", 2])
    assert init("churn.onnx").exit_code == 0
    assert spec_of(tmp_path / "churn.yaml")["model"]["uri"] == "file:churn.onnx"  # type: ignore[index]
    assert "schema" not in (tmp_path / "churn.yaml").read_text(encoding="utf-8")
    assert CliRunner().invoke(app, ["validate", "churn.yaml"]).exit_code == 0


# -- what is refused -----------------------------------------------------------------------------


def saved(make: Callable[[Path], object], name: str = "model.bin") -> Callable[[Path], Path]:
    def at(folder: Path) -> Path:
        file = folder / name
        made = make(file)
        if isinstance(made, bytes):
            file.write_bytes(made)
        return file

    return at


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    return buffer.getvalue()


def truncated(file: Path) -> bytes:
    content = classifier(file, ["a", "b"]).read_bytes()
    return content[: len(content) // 2]


def maps(file: Path) -> Path:
    """What skl2onnx writes without zipmap=False: a sequence of maps."""
    kind = helper.make_sequence_type_proto(
        helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    )
    node = helper.make_node("ZipMap", ["x"], ["y"], domain="ai.onnx.ml", classlabels_int64s=[0, 1])
    output = helper.make_value_info("y", kind)
    return network(file, [tensor("x", ["batch", 2])], [output], [node])


REFUSED: list[tuple[Callable[[Path], Path], str, str]] = [
    (lambda folder: folder / "gone.onnx", "there is no such file", ""),
    (saved(lambda _: b""), "is empty", ""),
    (saved(lambda _: b"\x08\x08hello"), "no whole ONNX model", ""),
    (saved(lambda _: b"just some text\n"), "no whole ONNX model", ""),
    (saved(truncated), "no whole ONNX model: cut off", ""),
    (saved(maps), "y is a sequence, no tensor", "'zipmap': False"),
    (saved(lambda f: identity(f, ["batch", 2], TensorProto.BFLOAT16)), "x is bfloat16", "cast it to float32"),
    (saved(lambda f: identity(f, ["batch", 2], TensorProto.COMPLEX64)), "x is complex64", "cast"),
    (saved(lambda f: network(f, [tensor("x", None)], [tensor("y", None)])), "does not say what shape x has", "export"),
    (saved(lambda _: pickle.dumps({"a": 1})), "is a pickle", "skl2onnx"),
    (saved(lambda _: b"anything", "model.joblib"), "is a pickle", "skl2onnx"),
    (saved(lambda _: zipped("archive/data.pkl", "archive/data/0")), "a pickle of PyTorch's", "torch.onnx.export"),
    (saved(lambda _: zipped("m/data.pkl", "m/constants.pkl")), "is TorchScript", "--input image:FP32:batch,3,224,224"),
    (saved(lambda _: b"\x1c\x00\x00\x00TFL3"), "is TensorFlow Lite's", "give the ONNX"),
    (saved(lambda _: zipped("config.json", "model.weights.h5")), "is Keras' own format", "format='onnx'"),
    (saved(lambda _: zipped("schema.json")), "no whole archive of skops", "skops.io.dump"),
    (saved(lambda _: zipped("readme.txt")), "is a zip archive", "unpack it"),
    (saved(lambda _: zipped("MAR-INF/MANIFEST.json")), "archive of torch-model-archiver", "engine: torchserve"),
    (saved(lambda _: b"\x89HDF\r\n\x1a\n"), "is HDF5", "keras.saving.load_model"),
    (saved(lambda _: b"GGUF\x03\x00\x00\x00"), "is GGUF", "no engine here"),
    (saved(lambda _: (8).to_bytes(8, "little") + b'{"a":1} weights'), "is safetensors", "optimum-cli"),
    (saved(lambda _: b"tree\nversion=v4\n"), "no whole model of LightGBM", "save_model"),
    (saved(lambda _: b"ptrt\x00"), "is an engine of TensorRT", "give the ONNX"),
    (saved(lambda _: b"version https://git-lfs.github.com/spec/v1\n"), "a pointer of Git LFS", "git lfs pull"),
    (saved(lambda _: b"<!DOCTYPE html><html>"), "a web page", "login"),
    (saved(lambda _: b"\x1f\x8b\x08"), "is compressed", "unpack it"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "says", "remedy"), REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_no_model_for_a_spec_is_named_with_what_to_do(
    project: Path, tmp_path: Path, make: Callable[[Path], Path], says: str, remedy: str
) -> None:
    before = sorted(project.rglob("*"))
    message = refusal(make(tmp_path))
    assert says in message
    assert remedy in message
    assert sorted(project.rglob("*")) == before


def test_without_a_terminal_nothing_is_asked(project: Path) -> None:
    assert "which model?" in refusal()


def test_a_folder_with_two_models_asks_which(tmp_path: Path) -> None:
    for name in ("encoder.onnx", "decoder.onnx"):
        identity(tmp_path / name, ["batch", 2])
    with pytest.raises(Unreadable, match=r"several models: decoder\.onnx, encoder\.onnx\n +name the file"):
        read(tmp_path)


def test_weights_that_lie_elsewhere_are_missed(tmp_path: Path) -> None:
    file = with_weights_beside_it(tmp_path / "model.onnx", "weights.bin")
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(Unreadable, match=r"weights in weights\.bin, which is not beside it"):
        read(file)


def test_weights_outside_the_folder_are_refused(tmp_path: Path) -> None:
    file = with_weights_beside_it(tmp_path / "model.onnx", "weights.bin")
    model = onnx.load(file, load_external_data=False)
    next(entry for entry in model.graph.initializer[0].external_data if entry.key == "location").value = "../w"
    file.write_bytes(model.SerializeToString())
    with pytest.raises(Unreadable, match=r"in \.\./w, outside its folder"):
        read(file)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--name", "Our Model"], "write our-model"),
        (["--name", "a" * 41], "at most 40"),
        (["--name", "iris"], "exists and is left as it is"),
        (["--name", "iris", "-o", "other.yaml"], "holds another model already"),
        (["--uri", "acme-models/churn"], "no scheme"),
        (["--uri", "s3://"], "no host or bucket"),
        (["--team", "two words"], "not a value that a Kubernetes label takes"),
    ],
)
def test_what_the_user_says_is_checked_before_anything_is_written(
    project: Path, tmp_path: Path, arguments: list[str], says: str
) -> None:
    before = sorted(project.rglob("*"))
    assert says in refusal(identity(tmp_path / "churn.onnx", ["batch", 2]), *arguments)
    assert sorted(project.rglob("*")) == before


@pytest.mark.parametrize("what", ["copyfile", "open"])
def test_nothing_is_left_where_the_disk_is_full(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    file = identity(tmp_path / "churn.onnx", ["batch", 2])
    before = sorted(project.rglob("*"))
    full = OSError(28, "No space left on device")

    def fails(*_: object, **__: object) -> None:
        raise full

    target = project / "model_specs" / "churn.yaml"
    opened = Path.open
    if what == "copyfile":
        monkeypatch.setattr("slipform.starting.placing.shutil.copyfile", fails)
    else:
        monkeypatch.setattr(Path, "open", lambda self, *a, **k: fails() if self == target else opened(self, *a, **k))
    assert "can't be written: No space left on device" in refusal(file)
    assert sorted(project.rglob("*")) == before


def test_a_name_that_another_spec_has_is_refused(project: Path, tmp_path: Path) -> None:
    file = identity(tmp_path / "churn.onnx", ["batch", 2])
    assert init(file).exit_code == 0
    assert "two specs are named churn" in refusal(file, "-o", "model_specs/second.yaml")


# -- at a terminal -------------------------------------------------------------------------------


def test_a_terminal_is_asked_and_its_answers_stand(environment: Environment, written: Path, tmp_path: Path) -> None:
    identity(tmp_path / "churn.onnx", ["batch", 2])
    spec = tmp_path / "spec.yaml"
    answers = {
        "The model's file, or the folder that holds it:": str(tmp_path / "churn.onnx"),
        "The model's name [churn]:": "leaving",
        "Which team owns it?": "growth",
    }
    at_a_terminal(environment, answers, "-C", written, "init", "-o", spec, "--uri", "s3://a/b")
    found = spec_of(spec)
    assert (found["name"], found["team"]) == ("leaving", "growth")


def test_at_a_terminal_the_inputs_of_torchscript_are_asked_by_their_names(
    environment: Environment, written: Path, tmp_path: Path
) -> None:
    spec = tmp_path / "spec.yaml"
    answers = {"  image:": "FP32:batch,3,8,8", "  mask:": "BOOL:batch", "name [spots]:": "", "Which team owns it?": ""}
    seen = at_a_terminal(environment, answers, "-C", written, "init", "-o", spec, script(tmp_path / "spots.pt"))
    assert [tensor["name"] for tensor in spec_of(spec)["model"]["inputs"]] == ["image", "mask"]  # type: ignore[index]
    assert "warning: a build in a cluster" in seen
    assert "\x1b[3" not in seen, "NO_COLOR is heeded"


def at_a_terminal(environment: Environment, answers: dict[str, str], *arguments: str | Path) -> str:
    """What the command shows where each question gets its answer."""
    pid, terminal = pty.fork()
    if not pid:
        command = ["slipform", *map(str, arguments)]
        os.execve(environment.bin / "slipform", command, environment.variables(NO_COLOR="1"))
    seen = ""
    while True:
        try:
            chunk = os.read(terminal, 1024)
        except OSError:  # the other end is closed
            break
        seen += chunk.decode()
        for question in [each for each in answers if each in seen]:
            os.write(terminal, f"{answers.pop(question)}\n".encode())
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, seen
    return seen


# -- and it serves -------------------------------------------------------------------------------


def test_what_is_written_is_right_and_serves(environment: Environment, models: Path, tmp_path: Path) -> None:
    classifier(tmp_path / "tickets.onnx", ["billing", "delivery", "outage"])
    identity(tmp_path / "single.onnx", [1, 3])
    with_weights_beside_it(tmp_path / "shift" / "model.onnx", "a.data")  # two files, whose digests sort otherwise
    for model in ("tickets.onnx", "single.onnx", "shift"):
        done = environment.slipform("init", str(tmp_path / model), cwd=models)
        assert done.returncode == 0, done.stderr
        assert "  slipform serve model_specs/" in done.stdout
    assert environment.slipform("validate", cwd=models).stdout == "4 specs: 0 errors, 0 warnings\n"
    planned = environment.slipform("plan", "-s", "dev", cwd=models)
    assert "ModelService tickets" in planned.stdout, planned.stderr
    specs = [f"model_specs/{name}.yaml" for name in ("tickets", "single", "shift")]
    with environment.serving(*specs, cwd=models) as port:
        assert post(port, "/predict/tickets", {"inputs": [2.0, 2.0]})["labels"] == {"probabilities": "outage"}
        assert post(port, "/predict/single", {"inputs": [[1, 2, 3]]})["outputs"] == [[1, 2, 3]]
        assert post(port, "/predict/shift", {"inputs": [0, 0, 0, 0]})["outputs"] == [0, 1, 2, 3]


def test_the_request_that_it_prints_is_answered(environment: Environment, models: Path, tmp_path: Path) -> None:
    done = environment.slipform("init", str(classifier(tmp_path / "tickets.onnx", ["a", "b"])), cwd=models)
    body = json.loads(done.stdout.partition("-d '")[2].partition("'")[0])
    with environment.serving("model_specs/tickets.yaml", cwd=models) as port:
        assert set(post(port, "/predict", body)["outputs"]) == {"label", "probabilities"}


def test_batching_is_said_with_its_reason(tmp_path: Path) -> None:
    batched, reason = batching(read(identity(tmp_path / "a.onnx", [1, 3])))
    assert not batched
    assert "export the model with a batch axis that varies" in reason
