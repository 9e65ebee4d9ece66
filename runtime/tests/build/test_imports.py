"""Models of other formats: converted and compared, and never unpickled unasked."""

import os
import pickle
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


@pytest.mark.skipif(not isolation._without_network(), reason="this system gives no network namespaces")
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


@pytest.mark.parametrize("kind", ["pytorch", "torchscript", "tensorflow", "mlflow", "caffe"])
def test_a_format_that_cannot_be_built_from_says_which_can(workshop: Workshop, kind: str) -> None:
    with pytest.raises(BadInput, match="can't be built from, onnx, sklearn, xgboost can"):
        workshop.build(**of_format(workshop, kind, "model.onnx"))


def test_what_is_no_model_is_named(workshop: Workshop) -> None:
    put_pickle(workshop, [1, 2])
    with pytest.raises(ToolFailed, match=r"model\.pkl: (holds a list, which has no predict|cannot be read)"):
        workshop.build({"trust_pickle": True}, **of_format(workshop, "sklearn", "model.pkl"))
