"""Models that are not ONNX: what their files say, and that the spec of each is right and asks for a build.

data/ holds what the frameworks wrote: a SavedModel of TensorFlow 2.21 without its graph, a booster of LightGBM 4.7 with
its first tree alone.
"""

from __future__ import annotations

import contextlib
import json
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
from typer.testing import CliRunner

from slipform.cli.main import app
from slipform.project import check, read_specs
from slipform.starting.models import ubjson
from slipform.starting.models.recognise import read
from slipform.starting.models.signature import Unreadable
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


FORMATS = [
    (booster, "churn.json", "xgboost", ["features FP32 [batch, 5]"], [5]),
    (booster, "churn.ubj", "xgboost", ["features FP32 [batch, 5]"], [5]),
    (text_booster, "churn.txt", "lightgbm", ["features FP32 [batch, 5]"], [5]),
    (saved_model, "churn", "tensorflow", ["x FP32 [?, 8]", "output_0 FP32 [?, 4]"], [8]),
    (exported_program, "churn.pt2", "pytorch", ["image FP32 [?, 3, 16]", "softmax FP32 [?, 4]"], [3, 16]),
    (mlflow, "churn", "xgboost", ["features FP32 [batch, 5]"], [5]),
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
    shape: list[int],
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


def test_torchscripts_arguments_are_named_and_its_pickle_is_not_run(tmp_path: Path) -> None:
    pickled = b"\x80\x02c__torch__.net\nNet\nq\x00)\x81cos\nabort\n)R."
    with zipfile.ZipFile(tmp_path / "m.pt", "w") as archive:
        archive.writestr("m/data.pkl", pickled)
        archive.writestr("m/constants.pkl", b"")
        archive.writestr("m/code/__torch__/net.py", CODE)
    with pytest.raises(
        Unreadable, match="is TorchScript: it takes image, mask, and does not say of what type and shape"
    ):
        read(tmp_path / "m.pt")


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


def test_mlflows_pickles_are_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text("flavors: {sklearn: {pickled_model: model.pkl}}\n", encoding="utf-8")
    with pytest.raises(Unreadable, match=r"flavours sklearn(.|\n)*mlflow\.onnx\.log_model"):
        read(tmp_path)


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
