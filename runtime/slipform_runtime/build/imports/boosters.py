"""Boosted trees: XGBoost's and LightGBM's own files, or pickled ones."""

from importlib import import_module
from typing import Any

from slipform_runtime.build.imports.compared import Answer, renamed
from slipform_runtime.build.imports.files import runs_code
from slipform_runtime.build.imports.wanted import Refused, Wanted
from slipform_runtime.build.manifest import BATCH

_OPSET = 15
"""The latest that onnxmltools writes."""


def xgboost(wanted: Wanted) -> Answer:
    """Export with onnxmltools."""
    library = import_module("xgboost")
    if runs_code("xgboost", wanted.path):
        model = import_module("joblib").load(wanted.path)
        trees = model.get_booster() if hasattr(model, "get_booster") else model
    else:
        trees = library.Booster(model_file=str(wanted.path))
    _must_be_as_wide(wanted, trees.num_features())
    trees.feature_names = None  # the converter wants f0, f1, …
    _export(wanted, import_module("onnxmltools").convert_xgboost, trees)
    return lambda tables: [trees.predict(library.DMatrix(tables[0]))]


def lightgbm(wanted: Wanted) -> Answer:
    """Export with onnxmltools."""
    library = import_module("lightgbm")
    if runs_code("lightgbm", wanted.path):
        model = import_module("joblib").load(wanted.path)
        trees = getattr(model, "booster_", model)
    else:
        trees = library.Booster(model_file=str(wanted.path))
    _must_be_as_wide(wanted, trees.num_feature())
    _export(wanted, import_module("onnxmltools").convert_lightgbm, trees, zipmap=False)
    return lambda tables: [trees.predict(tables[0])]


def _export(wanted: Wanted, convert: Any, trees: Any, **options: Any) -> None:
    floats = import_module("onnxmltools.convert.common.data_types").FloatTensorType
    column = wanted.inputs[0]
    made = convert(
        trees, initial_types=[(column.name, floats([None, column.shape[0]]))], target_opset=_OPSET, **options
    )
    for output in made.graph.output:  # the labels' converter says 1 where it means any
        output.type.tensor_type.shape.dim[0].dim_param = BATCH
    wanted.target.write_bytes(made.SerializeToString())
    renamed(wanted)


def _must_be_as_wide(wanted: Wanted, features: int) -> None:
    column = wanted.inputs[0]
    if features != column.shape[0]:
        raise Refused(f"takes {features} features, the manifest's input '{column.name}' has {column.shape[0]}")
