"""scikit-learn: a fitted estimator or pipeline, kept by skops, joblib or pickle."""

from importlib import import_module
from typing import Any

import numpy as np

from slipform_runtime.build.imports.compared import Answer, renamed
from slipform_runtime.build.imports.files import runs_code
from slipform_runtime.build.imports.wanted import Refused, Wanted

_OPSET = 17


def sklearn(wanted: Wanted) -> Answer:
    """Export with skl2onnx."""
    to_onnx = import_module("skl2onnx").to_onnx
    fitted, width = _read(wanted), wanted.inputs[0].shape[0]
    if not hasattr(fitted, "predict"):
        raise Refused(f"holds a {type(fitted).__name__}, which has no predict")
    expected = getattr(fitted, "n_features_in_", width)
    if expected != width:
        raise Refused(f"takes {expected} features, the manifest's input '{wanted.inputs[0].name}' has {width}")
    classifier = hasattr(fitted, "predict_proba")
    options = {id(fitted): {"zipmap": False}} if classifier else None
    row = np.zeros((1, int(width)), np.float32)
    model = to_onnx(fitted, row, options=options, target_opset=_OPSET)
    wanted.target.write_bytes(model.SerializeToString())
    renamed(wanted)
    return lambda tables: [(fitted.predict_proba if classifier else fitted.predict)(tables[0])]


def _read(wanted: Wanted) -> Any:
    if runs_code("sklearn", wanted.path):
        return import_module("joblib").load(wanted.path)
    skops = import_module("skops.io")
    untrusted = skops.get_untrusted_types(file=wanted.path)
    if untrusted and not wanted.trusted:
        raise Refused(
            f"holds types that skops does not know: {', '.join(untrusted[:5])}; "
            "say --trust-pickle if you trust its maker"
        )
    return skops.load(wanted.path, trusted=untrusted)
