"""Models of other formats: converted and compared, and never unpickled unasked."""

import os
import pickle
import zipfile
from typing import Any

import numpy as np
import pytest

from runtime_testing.building import Workshop
from slipform_runtime.build.errors import BadInput, BuildError, Missing, ToolFailed
from slipform_runtime.build.imports import isolation


class Bomb:
    """Unpickling it runs a command."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def of_format(workshop: Workshop, kind: str, name: str, **changes: Any) -> dict[str, Any]:
    source = {"uri": f"file://{workshop.models}", "format": kind, "filename": name}
    return {"source": source, "outputs": [], **changes}


def put_pickle(workshop: Workshop, content: Any) -> None:
    (workshop.models / "3" / "model.onnx").unlink()
    workshop.put(pickle.dumps(content), "model.pkl")


def test_a_pickle_is_not_read_unless_it_is_trusted(workshop: Workshop) -> None:
    trace = workshop.root / "ran"
    put_pickle(workshop, Bomb(f"touch {trace}"))
    with pytest.raises(BadInput, match=r"model\.pkl is a pickle: .* --trust-pickle"):
        workshop.build(**of_format(workshop, "sklearn", "model.pkl"))
    assert not trace.exists()


def test_a_trusted_pickle_runs_without_credentials(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    trace = workshop.root / "ran"
    put_pickle(workshop, Bomb(f"env > {trace}"))
    with pytest.raises(BuildError):
        workshop.build({"trust_pickle": True}, **of_format(workshop, "sklearn", "model.pkl"))
    assert "PATH=" in trace.read_text()
    assert "secret" not in trace.read_text()


@pytest.mark.skipif(not isolation.without_network(), reason="this system gives no network namespaces")
def test_a_trusted_pickle_has_no_network(workshop: Workshop) -> None:
    trace = workshop.root / "ran"
    put_pickle(workshop, Bomb(f"cat /proc/net/dev > {trace}"))
    with pytest.raises(BuildError):
        workshop.build({"trust_pickle": True}, **of_format(workshop, "sklearn", "model.pkl"))
    interfaces = [line.split(":")[0].strip() for line in trace.read_text().splitlines() if ":" in line]
    assert interfaces == ["lo"]


def test_a_scikit_learn_pipeline_becomes_onnx_that_answers_alike(workshop: Workshop) -> None:
    pytest.importorskip("skl2onnx")
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    random = np.random.default_rng(0)
    table = random.standard_normal((200, 8)).astype(np.float32)
    forest = make_pipeline(StandardScaler(), RandomForestClassifier(5, random_state=0)).fit(table, table[:, 0] > 0)
    put_pickle(workshop, forest)
    outcome = workshop.build({"trust_pickle": True}, **of_format(workshop, "sklearn", "model.pkl"))
    assert outcome.report.steps[0].startswith("unpickled in a process of its own, without credentials")
    assert "differs by at most" in outcome.report.steps[1]
    difference = float(outcome.report.steps[1].partition("at most ")[2].split()[0])
    assert difference < 1e-5
    assert (workshop.built / "3" / "model.onnx").is_file()


def test_a_pickle_of_another_width_is_refused(workshop: Workshop) -> None:
    pytest.importorskip("skl2onnx")
    from sklearn.linear_model import LinearRegression

    put_pickle(workshop, LinearRegression().fit(np.eye(5), np.arange(5)))
    with pytest.raises(ToolFailed, match="takes 5 features, the manifest's input 'x' has 8"):
        workshop.build({"trust_pickle": True}, **of_format(workshop, "sklearn", "model.pkl"))


def test_an_xgboost_model_in_its_own_format_needs_no_trust(workshop: Workshop) -> None:
    xgboost = pytest.importorskip("xgboost")
    pytest.importorskip("onnxmltools")
    random = np.random.default_rng(0)
    table = random.standard_normal((200, 8)).astype(np.float32)
    trees = xgboost.train(
        {"objective": "binary:logistic", "max_depth": 3},
        xgboost.DMatrix(table, label=(table[:, 0] > 0).astype(int)),
        num_boost_round=5,
    )
    (workshop.models / "3" / "model.onnx").unlink()
    trees.save_model(workshop.models / "3" / "model.ubj")
    outcome = workshop.build(**of_format(workshop, "xgboost", "model.ubj"))
    assert float(outcome.report.steps[0].partition("at most ")[2].split()[0]) < 1e-5


def test_a_missing_framework_is_named_with_its_extra(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = workshop.root / "hidden"
    hidden.mkdir()
    (hidden / "xgboost.py").write_text("raise ModuleNotFoundError(name='xgboost')")
    monkeypatch.syspath_prepend(hidden)
    (workshop.models / "3" / "model.onnx").unlink()
    workshop.put(b"{}", "model.json")
    with pytest.raises(Missing, match=r"needs the module 'xgboost'; install slipform-runtime\[xgboost\]"):
        workshop.build(**of_format(workshop, "xgboost", "model.json"))


def test_a_format_that_cannot_be_built_from_says_which_can(workshop: Workshop) -> None:
    with pytest.raises(BadInput, match="'caffe' can't be built from; onnx, sklearn, xgboost, lightgbm, pytorch"):
        workshop.build(**of_format(workshop, "caffe", "model.onnx"))


@pytest.mark.parametrize("objective", ["binary", "regression", "multiclass"])
def test_a_lightgbm_model_in_its_own_format_needs_no_trust(workshop: Workshop, objective: str) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    pytest.importorskip("onnxmltools")
    random = np.random.default_rng(0)
    table = random.standard_normal((300, 8))
    labels = {"binary": table[:, 0] > 0, "regression": table[:, 0], "multiclass": np.arange(300) % 3}[objective]
    parameters = {"objective": objective, "verbose": -1, "num_threads": 1}
    classes = {"num_class": 3} if objective == "multiclass" else {}
    trees = lightgbm.train(parameters | classes, lightgbm.Dataset(table, labels), num_boost_round=5)
    (workshop.models / "3" / "model.onnx").unlink()
    trees.save_model(workshop.models / "3" / "model.txt")
    outcome = workshop.build(**of_format(workshop, "lightgbm", "model.txt"))
    assert float(outcome.report.steps[0].partition("at most ")[2].split()[0]) < 1e-5


def test_a_pickled_booster_is_refused_with_its_safe_form(workshop: Workshop) -> None:
    put_pickle(workshop, {})
    with pytest.raises(BadInput, match=r"a safe form is ONNX, or what booster\.save_model\('model\.txt'\) writes"):
        workshop.build(**of_format(workshop, "lightgbm", "model.pkl"))


def archive(workshop: Workshop, name: str, *members: str) -> None:
    """A zip file with these members, as PyTorch writes them."""
    (workshop.models / "3" / "model.onnx").unlink()
    with zipfile.ZipFile(workshop.models / "3" / name, "w") as made:
        for member in members:
            made.writestr(f"model/{member}", b"")


NO_PROGRAMS: list[tuple[str, tuple[str, ...], str]] = [
    ("pytorch", ("data.pkl", "data/0"), "holds weights, or a pickled module, without the program"),
    ("torchscript", ("data.pkl", "data/0"), "torch.export.save"),
    ("torchscript", ("models/model.json",), "is a program of torch.export: write format pytorch"),
    ("pytorch", (), "is no archive of PyTorch"),
]


@pytest.mark.parametrize(("kind", "members", "words"), NO_PROGRAMS)
def test_weights_without_their_program_are_refused(
    workshop: Workshop, kind: str, members: tuple[str, ...], words: str
) -> None:
    archive(workshop, "model.pt", *members)
    with pytest.raises(BadInput, match=words):
        workshop.build(**of_format(workshop, kind, "model.pt"))


def test_a_folder_without_a_saved_model_is_refused(workshop: Workshop) -> None:
    with pytest.raises(BadInput, match=r"is no SavedModel: there is no saved_model\.pb"):
        workshop.build(**of_format(workshop, "tensorflow", ""))


MLMODELS: list[tuple[str, str]] = [
    ("flavors: {onnx: {data: ../../secret}}", "names '../../secret', (which is not in|outside) the model's folder"),
    ("flavors: {onnx: {data: gone.onnx}}", "names 'gone.onnx', which is not in the model's folder"),
    ("flavors: {spark: {}, python_function: {}}", "has the flavors spark, python_function; onnx, xgboost"),
    ("flavors: {sklearn: {pickled_model: model.pkl}}", "model.pkl is a pickle: .* --trust-pickle"),
    ("run_id: 1", "MLmodel names no flavors"),
    ("- 1", "MLmodel is no mapping"),
    ("a: [", "MLmodel is no YAML"),
]


@pytest.mark.parametrize(("text", "words"), MLMODELS)
def test_an_mlflow_model_that_cannot_be_read_is_refused(workshop: Workshop, text: str, words: str) -> None:
    pytest.importorskip("yaml")
    (workshop.root / "secret").write_bytes(b"")
    workshop.put(pickle.dumps(Bomb(f"touch {workshop.root}/ran")), "model.pkl")
    workshop.put(text.encode(), "MLmodel")
    with pytest.raises(BadInput, match=words):
        workshop.build(**of_format(workshop, "mlflow", ""))
    assert not (workshop.root / "ran").exists()


def test_an_mlflow_model_with_onnx_inside_is_that(workshop: Workshop) -> None:
    pytest.importorskip("yaml")
    workshop.put(b"flavors: {python_function: {}, onnx: {data: model.onnx}}", "MLmodel")
    outcome = workshop.build(**of_format(workshop, "mlflow", ""))
    assert outcome.report.steps[0] == "the flavour onnx of the MLflow model, model.onnx"


def test_what_is_no_model_is_named(workshop: Workshop) -> None:
    put_pickle(workshop, [1, 2])
    with pytest.raises(ToolFailed, match=r"model\.pkl: (holds a list, which has no predict|cannot be read)"):
        workshop.build({"trust_pickle": True}, **of_format(workshop, "sklearn", "model.pkl"))
