"""Models that are not ONNX: what their files say, and that the spec of each is right and asks for a build.

data/ holds what the frameworks wrote: a SavedModel of TensorFlow 2.21 without its graph, a booster of LightGBM 4.7 with
its first tree alone.
"""

from __future__ import annotations

import contextlib
import json
import lzma
import pickle
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from slipform.cli.app import app
from slipform.project import check, read_specs
from slipform.spec.findings import SlipformError
from slipform.starting.models import ubjson
from slipform.starting.models.recognise import read
from slipform.starting.models.signature import Unreadable
from slipform.starting.models.stated import Stated, tensors
from slipform.starting.repository import write_repository

from .networks import identity

DATA = Path(__file__).parent / "data"


def booster(file: Path) -> Path:
    """Trained by XGBoost itself, and written in the format of the file's suffix."""
    table = np.random.default_rng(0).random((50, 5)).astype(np.float32)
    matrix = xgboost.DMatrix(table, (table.sum(axis=1) > 2.5).astype(int))
    xgboost.train({"objective": "binary:logistic"}, matrix, 3).save_model(file)
    return file


def saved_model(folder: Path) -> Path:
    folder.mkdir(parents=True)
    shutil.copy(DATA / "saved_model.pb", folder)
    return folder


def text_booster(file: Path) -> Path:
    return Path(shutil.copy(DATA / "lightgbm.txt", file))


def exported_program(file: Path, *, output: dict[str, Any] | None = None) -> Path:
    """As torch.export.save of PyTorch 2.9 and later writes one, without its weights and its nodes."""
    image = {"dtype": 7, "sizes": [{"as_expr": {"expr_str": "Symbol('s40')"}}, {"as_int": 3}, {"as_int": 16}]}
    scores = {"dtype": 7, "sizes": [{"as_expr": {"expr_str": "Symbol('s40')"}}, {"as_int": 4}]}
    weight = {"dtype": 7, "sizes": [{"as_int": 8}]}
    program = {
        "graph_module": {
            "graph": {"tensor_values": {"p_weight": weight, "image": image, "softmax": scores}},
            "signature": {
                "input_specs": [
                    {"parameter": {"arg": {"name": "p_weight"}, "parameter_name": "weight"}},
                    {"user_input": {"arg": {"as_tensor": {"name": "image"}}}},
                ],
                "output_specs": [{"user_output": {"arg": output or {"as_tensor": {"name": "softmax"}}}}],
            },
        },
        "torch_version": "2.9.0",
    }
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("m/models/model.json", json.dumps(program))
        archive.writestr("m/data/sample_inputs/model.pt", b"")
    return file


def mlflow(folder: Path) -> Path:
    booster(folder.parent / "b.ubj")
    folder.mkdir()
    (folder / "MLmodel").write_text("flavors:\n  python_function: {}\n  xgboost: {data: model.ubj}\n", encoding="utf-8")
    (folder.parent / "b.ubj").rename(folder / "model.ubj")
    return folder


def keras_file(file: Path) -> Path:
    """As Keras 3 writes one, without the layers that no reader of inputs looks at."""
    image = {"batch_shape": [None, 16, 16, 3], "dtype": "float32", "name": "image"}
    ids = {"batch_shape": [None, None], "dtype": {"config": {"name": "int32"}}, "name": "ids"}
    layers = [{"class_name": "InputLayer", "config": each} for each in (image, ids)]
    config = {"layers": layers, "input_layers": [["ids", 0, 0], ["image", 0, 0]]}
    model = {"class_name": "Functional", "config": config}
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("config.json", json.dumps(model))
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
    return file


def skops_file(file: Path) -> Path:
    """As skops keeps a pipeline, whose first step alone says how wide a table is."""
    width = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": "5"}
    step = {"__class__": "StandardScaler", "content": {"__class__": "dict", "content": {"n_features_in_": width}}}
    pipeline = {
        "__class__": "Pipeline", "__module__": "sklearn.pipeline", "_skops_version": "0.16.0",
        "content": {"content": {"steps": {"__class__": "list", "content": [step]}}},
    }  # fmt: skip
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("schema.json", json.dumps(pipeline))
    return file


FORMATS = [
    (booster, "churn.json", "xgboost", ["features FP32 [batch, 5]"], [5]),
    (booster, "churn.ubj", "xgboost", ["features FP32 [batch, 5]"], [5]),
    (text_booster, "churn.txt", "lightgbm", ["features FP32 [batch, 5]"], [5]),
    (saved_model, "churn", "tensorflow", ["x FP32 [?, 8]", "output_0 FP32 [?, 4]"], [8]),
    (exported_program, "churn.pt2", "pytorch", ["image FP32 [?, 3, 16]", "softmax FP32 [?, 4]"], [3, 16]),
    (mlflow, "churn", "xgboost", ["features FP32 [batch, 5]"], [5]),
    (keras_file, "churn.keras", "keras", ["ids INT32 [?, ?]", "image FP32 [?, 16, 16, 3]"], ["ids_1"]),
    (skops_file, "churn.skops", "sklearn", ["features FP32 [batch, 5]"], [5]),
]


@pytest.mark.parametrize(
    ("make", "name", "format", "tensors", "shape"), FORMATS, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_format_becomes_a_right_spec_with_a_build(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Any,
    name: str,
    format: str,
    tensors: list[str],
    shape: list[int | str],
) -> None:
    source = make(tmp_path / name)
    found = read(source)
    assert found.format == format
    assert [each.described() for each in (*found.inputs, *found.outputs)] == tensors

    write_repository(tmp_path / "models")
    monkeypatch.chdir(tmp_path / "models")
    done = CliRunner().invoke(app, ["init", str(source), "--name", "churn"])
    assert done.exit_code == 0, done.exception
    assert "slipform build model_specs/churn.yaml --output built" in done.output
    assert "a build in a cluster has no files of this project: upload the model" in done.output
    file = tmp_path / "models" / "model_specs" / "churn.yaml"
    assert check(tmp_path / "models", [file]) == ()
    (spec,) = read_specs(tmp_path / "models", [file])
    assert spec.build is not None
    assert (spec.model.format, spec.build.target, list(spec.model.inputs[0].shape)) == (format, "onnx", shape)


CODE = """class Inner(Module):
  def forward(self: __torch__.net.Inner,
    other: Tensor) -> Tensor:
    return other
class Net(Module):
  __parameters__ = []
  def forward(self: __torch__.net.Net,
    image: Tensor,
    mask: Optional[Tensor]) -> Tuple[Tensor, Tensor]:
    return (image, image)
"""


def script(file: Path) -> Path:
    """As torch.jit.save writes one; whoever ran its pickle would end here."""
    pickled = b"\x80\x02c__torch__.net\nNet\nq\x00)\x81cos\nabort\n)R."
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("m/data.pkl", pickled)
        archive.writestr("m/constants.pkl", b"")
        archive.writestr("m/code/__torch__/net.py", CODE)
    return file


def test_torchscripts_arguments_are_named_and_its_pickle_is_not_run(tmp_path: Path) -> None:
    with pytest.raises(
        Unreadable, match="is TorchScript: it takes image, mask, and does not say of what type and shape"
    ):
        read(script(tmp_path / "m.pt"))


def init(folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    write_repository(folder / "models")
    monkeypatch.chdir(folder / "models")
    return CliRunner().invoke(app, ["init", *arguments, "--name", "churn"])


def test_a_model_that_does_not_say_its_inputs_gets_those_that_are_stated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ("--input", "image:FP32:batch,3,32,width", "--input", "mask:BOOL:batch")
    assert init(tmp_path, monkeypatch, str(script(tmp_path / "m.pt")), *given).exit_code == 0
    file = tmp_path / "models" / "model_specs" / "churn.yaml"
    assert check(tmp_path / "models", [file]) == ()
    (spec,) = read_specs(tmp_path / "models", [file])
    assert spec.model.format == "torchscript"
    assert [(each.name, each.dtype, each.shape) for each in spec.model.inputs] == [
        ("image", "FP32", (3, 32, "width")),
        ("mask", "BOOL", ()),
    ]
    assert (tmp_path / "models" / "model_specs" / "models" / "churn" / "1" / "model.pt").is_file()


class Other:
    """What nobody here reads a pickle of."""


@pytest.mark.parametrize("protocol", [2, 5])
def test_a_pickle_is_built_from_only_where_somebody_trusts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: int
) -> None:
    file = tmp_path / "model.pkl"
    file.write_bytes(pickle.dumps(xgboost.XGBClassifier(), protocol))
    row = ("--input", "features:FP32:batch,5")
    assert "a pickle of xgboost.sklearn.XGBClassifier" in str(init(tmp_path, monkeypatch, str(file), *row).exception)
    shutil.rmtree(tmp_path / "models")
    assert init(tmp_path, monkeypatch, str(file), *row, "--trust-pickle").exit_code == 0
    (spec,) = read_specs(tmp_path / "models", [tmp_path / "models" / "model_specs" / "churn.yaml"])
    assert spec.build is not None
    assert (spec.model.format, spec.build.trust_pickle) == ("xgboost", True)
    file.write_bytes(pickle.dumps(Other(), protocol))
    with pytest.raises(Unreadable, match="Other: whoever made it decides"):
        read(file, Stated(tensors(row[1:]), trust_pickle=True))


STATED: list[tuple[Callable[[Path], Path], list[str], str]] = [
    (script, ["image:FP32:batch,3"], "takes 2 inputs, image, mask; --input names 1"),
    (script, ["image"], "'image' is not NAME:TYPE:AXES, such as image:FP32:batch,3,224,224"),
    (script, ["image:float:batch"], "types: BOOL, UINT8"),
    (script, ["image:FP32:batch,0"], "'0' is no axis; a size over 0"),
    (script, ["image:FP32:batch,-1"], "'-1' is no axis"),
    (script, ["a:FP32:batch", "a:FP32:batch"], "names a tensor twice: a, a"),
    (skops_file, ["x:FP32:batch,5"], r"says itself what it takes: features FP32 \[batch, 5\]"),
]


@pytest.mark.parametrize(("make", "inputs", "words"), STATED)
def test_what_is_stated_wrongly_is_refused(
    tmp_path: Path, make: Callable[[Path], Path], inputs: list[str], words: str
) -> None:
    with pytest.raises(SlipformError, match=words):
        read(make(tmp_path / "m.bin"), Stated(tensors(inputs)))


def test_a_keras_model_without_an_input_layer_takes_what_it_was_built_for(tmp_path: Path) -> None:
    model = {"class_name": "Sequential", "config": {"layers": []}, "build_config": {"input_shape": [None, 5]}}
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(model))
    assert [each.described() for each in read(tmp_path / "m.keras").inputs] == ["input FP32 [?, 5]"]


def test_a_skops_archive_that_was_not_fitted_says_so(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.skops", "w") as archive:
        archive.writestr("schema.json", json.dumps({"__class__": "Ridge", "__module__": "sklearn.linear_model"}))
    with pytest.raises(Unreadable, match=r"sklearn\.linear_model\.Ridge that does not say how many features"):
        read(tmp_path / "m.skops")


def test_what_a_program_takes_beside_tensors_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="what is no tensor"):
        read(exported_program(tmp_path / "m.pt2", output={"as_int": 3}))


def test_a_savedmodel_without_a_signature_to_serve_is_refused(tmp_path: Path) -> None:
    folder = saved_model(tmp_path / "m")
    content = (folder / "saved_model.pb").read_bytes()
    renamed = content.replace(b"serving_default", b"training_defaul").replace(b"\x05serve", b"\x05other")
    (folder / "saved_model.pb").write_bytes(renamed)
    with pytest.raises(Unreadable, match=r"no signature serving_default with inputs: it has other, training_defaul"):
        read(folder)


MLFLOW = [
    ("{sklearn: {pickled_model: model.pkl}}", r"model\.pkl is a pickle of builtins\.bytearray(.|\n)*skl2onnx"),
    ("{spark: {model_data: sparkml}}", r"flavours spark(.|\n)*mlflow\.onnx\.log_model"),
    ("{onnx: }", r"flavours onnx"),
]


@pytest.mark.parametrize(("flavours", "words"), MLFLOW)
def test_mlflows_other_models_are_named_with_what_to_do(tmp_path: Path, flavours: str, words: str) -> None:
    (tmp_path / "MLmodel").write_text(f"flavors: {flavours}\n", encoding="utf-8")
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(bytearray(), 4))
    with pytest.raises(Unreadable, match=words):
        read(tmp_path)


def test_an_archive_of_a_bento_is_named_with_what_to_do(tmp_path: Path) -> None:
    archive = tmp_path / "wine.bento"
    archive.write_bytes(lzma.compress(b"a tar archive"))
    with pytest.raises(Unreadable, match=r"bentoml export(.|\n)*tar -xf"):
        read(archive)


OWN_SERVERS = [
    ("MLmodel", "flavors: {python_function: {}, prophet: {}}\n", "mlflow", "mlflow models serve"),
    ("bento.yaml", "name: wine\n", "bento", "bentoml serve"),
]


@pytest.mark.parametrize(("main", "text", "format", "command"), OWN_SERVERS)
def test_what_only_its_own_server_takes_has_a_spec_for_that_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, main: str, text: str, format: str, command: str
) -> None:
    folder = tmp_path / "wine" / "2"
    (folder / "src").mkdir(parents=True)
    (folder / main).write_text(text, encoding="utf-8")
    (folder / "src" / "service.py").write_text("import bentoml\n", encoding="utf-8")
    project = tmp_path / "models"
    write_repository(project)
    monkeypatch.chdir(project)
    done = CliRunner().invoke(app, ["init", str(folder)])
    assert done.exit_code == 0, done.exception
    assert command in done.output
    file = project / "model_specs" / "wine.yaml"
    assert check(project, [file]) == ()
    (spec,) = read_specs(project, [file])
    assert (spec.model.format, spec.model.uri, spec.build) == (format, "file:model_specs/models/wine", None)
    assert (project / "model_specs" / "models" / "wine" / "1" / "src" / "service.py").is_file()


def test_an_operator_whose_version_the_file_lacks_is_a_cut(tmp_path: Path) -> None:
    model = onnx.load(identity(tmp_path / "m.onnx", ["batch", 2]))
    model.graph.node[0].domain = "ai.onnx.ml"
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(Unreadable, match="cut off"):
        read(tmp_path / "m.onnx")


def test_json_of_something_else_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{"name": "x"}', encoding="utf-8")
    with pytest.raises(Unreadable, match="no whole model of XGBoost"):
        read(tmp_path / "package.json")


WHOLE: dict[str, Callable[[Path], Path]] = {
    "model.onnx": lambda file: identity(file, ["batch", 2]),
    "model.ubj": booster,
    "model.json": booster,
    "model.txt": text_booster,
    "saved_model.pb": lambda file: saved_model(file.parent / "m") / file.name,
    "model.pt2": exported_program,
    "model.keras": keras_file,
    "model.skops": skops_file,
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    return {name: make(folder / name).read_bytes() for name, make in WHOLE.items()}


@pytest.mark.parametrize("name", WHOLE)
@given(kept=st.floats(0, 0.999))
@settings(max_examples=40, deadline=None)
def test_what_is_cut_off_is_refused_and_never_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, whole: dict[str, bytes], name: str, kept: float
) -> None:
    content = whole[name]
    end = content.index(b"end of trees") if name == "model.txt" else len(content)
    file = tmp_path_factory.mktemp("cut") / name
    file.write_bytes(content[: int(end * kept)])
    with pytest.raises(Unreadable):
        read(file.parent if name == "saved_model.pb" else file)


STARTS = [b"", b"{", b'{"', b"{L", b"PK\x03\x04", b"\x08\x08", b"tree\n", b"\x80\x04"]


@given(start=st.sampled_from(STARTS), rest=st.binary())
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_answered_with_what_they_are_not(
    tmp_path_factory: pytest.TempPathFactory, start: bytes, rest: bytes
) -> None:
    file = tmp_path_factory.mktemp("any") / "model"
    file.write_bytes(start + rest)
    with pytest.raises(Unreadable):
        read(file)


# -- UBJSON --------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def encoded(value: object) -> bytes:
    """By the specification's plain forms."""
    if value is None:
        return b"Z"
    if isinstance(value, bool):
        return b"T" if value else b"F"
    if isinstance(value, int):
        return b"L" + struct.pack(">q", value)
    if isinstance(value, float):
        return b"D" + struct.pack(">d", value)
    if isinstance(value, str):
        return b"S" + length(value)
    if isinstance(value, list):
        return b"[" + b"".join(map(encoded, value)) + b"]"
    assert isinstance(value, dict)
    return b"{" + b"".join(length(key) + encoded(each) for key, each in value.items()) + b"}"


def length(text: str) -> bytes:
    raw = text.encode()
    return b"l" + struct.pack(">i", len(raw)) + raw


@given(VALUES)
def test_ubjson_is_read_as_it_was_written(value: object) -> None:
    assert ubjson.parse(encoded(value)) == value


@given(st.binary(max_size=60))
def test_other_bytes_are_a_value_error_or_some_value(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        ubjson.parse(data)


def test_arrays_of_numbers_are_skipped_over() -> None:
    numbers = b"[$d#i\x03" + struct.pack(">3f", 1, 2, 3)
    assert ubjson.parse(b"{i\x01a" + numbers + b"i\x01bT}") == {"a": [], "b": True}


def test_a_folder_that_holds_one_model_is_that_model(tmp_path: Path) -> None:
    identity(tmp_path / "m" / "only.onnx", ["batch", 2])
    assert read(tmp_path / "m").main.name == "only.onnx"
