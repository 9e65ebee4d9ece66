"""scikit-learn's models as skops keeps them: an archive whose schema.json is the objects' attributes, without code."""

from __future__ import annotations

import json
import zipfile
from collections import deque
from pathlib import Path
from typing import Any

from .signature import Axis, FoundTensor, Signature, Unreadable

SCHEMA = "schema.json"
_WIDTH = "n_features_in_"


def read(file: Path) -> Signature:
    """An estimator or a pipeline of a table of numbers. Raises Unreadable where its width is not in the file."""
    try:
        with zipfile.ZipFile(file) as archive:
            tree = json.loads(archive.read(SCHEMA))
        what, width = f"{tree['__module__']}.{tree['__class__']}", _width(tree)
    except (ValueError, KeyError, TypeError, RecursionError, zipfile.BadZipFile):
        raise Unreadable(
            f"{file} is no whole archive of skops\n    skops.io.dump(model, 'model.skops') writes one"
        ) from None
    if width is None:
        raise Unreadable(f"{file} holds a {what} that does not say how many features it takes: it was not fitted")
    row = FoundTensor("features", "FP32", (Axis(None, "batch"), Axis(width)))
    return Signature("sklearn", file, (file,), (row,), (), f"{what}, kept by skops {tree.get('_skops_version', '')}")


def _width(tree: Any) -> int | None:
    """The features of the outermost object that says so, of a pipeline its first step's."""
    waiting = deque([tree])
    while waiting:
        value = waiting.popleft()
        if isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            if isinstance(value.get(_WIDTH), dict):
                return int(json.loads(value[_WIDTH]["content"]))
            waiting.extend(value.values())
    return None
