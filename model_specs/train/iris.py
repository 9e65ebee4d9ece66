"""Trains the iris classifier on the measurements that scikit-learn ships, and exports it to ONNX.

python model_specs/train/iris.py            writes model_specs/models/iris/1/model.onnx
python model_specs/train/iris.py --check    trains again, and compares the answers with those of the file
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FILE = Path(__file__).parents[1] / "models" / "iris" / "1" / "model.onnx"


def train() -> tuple[bytes, float]:
    """The model as ONNX, and its accuracy on the third of the flowers that it was not trained on."""
    flowers = load_iris()
    seen, unseen, seen_kinds, unseen_kinds = train_test_split(
        flowers.data.astype(np.float32), flowers.target, test_size=1 / 3, random_state=0, stratify=flowers.target
    )
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(seen, seen_kinds)
    exported = to_onnx(classifier, seen[:1], options={"zipmap": False}, target_opset=17)
    exported.graph.input[0].name = "measurements"
    for node in exported.graph.node:
        node.input[:] = ["measurements" if name == "X" else name for name in node.input]
    return exported.SerializeToString(), float(classifier.score(unseen, unseen_kinds))


def probabilities(model: bytes) -> np.ndarray[Any, Any]:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    answer: np.ndarray[Any, Any] = session.run(
        ["probabilities"], {"measurements": load_iris().data.astype(np.float32)}
    )[0]
    return answer


def main() -> int:
    model, accuracy = train()
    if "--check" in sys.argv:
        if not np.allclose(probabilities(model), probabilities(FILE.read_bytes()), atol=1e-4):
            print(f"{FILE} answers differently from what this script trains; run it without --check", file=sys.stderr)
            return 1
        return 0
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_bytes(model)
    print(f"{FILE}: {len(model)} bytes, accuracy {accuracy:.3f} on flowers that it has not seen")
    return 0


if __name__ == "__main__":
    sys.exit(main())
