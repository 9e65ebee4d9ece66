"""What is built: the example of this repository, three networks that nobody here made, and a transformer."""

from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).parents[2]
LAYERS, WIDTH, HEADS, WORDS, LENGTH, CLASSES = 4, 256, 4, 8000, 64, 6


@dataclass(frozen=True)
class Model:
    """A file, what goes in (without the batch axis), and the largest batch."""

    name: str
    path: Path
    inputs: list[dict[str, Any]]
    batch: int
    axes: dict[str, int] = field(default_factory=dict)

    def samples(self, count: int = 20) -> dict[str, Any]:
        """Arrays by input: uniform noise for images, words for texts."""
        random, arrays = np.random.default_rng(0), {}
        for tensor in self.inputs:
            shape = (count, *(self.axes.get(axis, axis) for axis in tensor["shape"]))
            if tensor["dtype"] == "INT64":
                words = "mask" not in tensor["name"]
                arrays[tensor["name"]] = random.integers(0, WORDS, shape) if words else np.ones(shape, np.int64)
            else:
                arrays[tensor["name"]] = random.uniform(-1, 1, shape).astype(np.float32)
        return arrays


def models(scratch: Path, rapidocr: Path | None) -> list[Model]:
    """All that are here; the wheel rapidocr-onnxruntime brings three."""
    iris = ROOT / "model_specs/models/iris/1/model.onnx"
    bert = scratch / "transformer.onnx"
    onnx.save(transformer(), bert)
    texts = [{"name": name, "dtype": "INT64", "shape": ["seq"]} for name in ("input_ids", "attention_mask")]
    found = [
        Model("iris", iris, [{"name": "measurements", "dtype": "FP32", "shape": [4]}], 64),
        Model("transformer", bert, texts, 8, {"seq": LENGTH}),
    ]
    folder = rapidocr or _wheel()
    if folder is not None:
        direction, reader, finder = (
            folder / name
            for name in (
                "ch_ppocr_mobile_v2.0_cls_infer.onnx",
                "ch_PP-OCRv4_rec_infer.onnx",
                "ch_PP-OCRv4_det_infer.onnx",
            )
        )
        found += [
            Model("ppocr-cls", direction, [_image(48, 192)], 8),
            Model("ppocr-rec", reader, [_image(48, "width")], 4, {"width": 320}),
            Model("ppocr-det", finder, [_image("height", "width")], 1, {"height": 320, "width": 320}),
        ]
    return found


def _image(height: int | str, width: int | str) -> dict[str, Any]:
    return {"name": "x", "dtype": "FP32", "shape": [3, height, width]}


def _wheel() -> Path | None:
    spec = find_spec("rapidocr_onnxruntime")
    return Path(spec.origin).parent / "models" if spec and spec.origin else None


class _Graph:
    """Nodes and weights as they are added; each method answers the name of what it makes."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, Any] = {}
        self._random = np.random.default_rng(0)

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, value: Any) -> str:
        name = f"w{len(self.weights)}"
        self.weights[name] = np.asarray(value)
        return name

    def weight(self, *shape: int) -> str:
        return self.constant(self._random.standard_normal(shape).astype(np.float32) / np.float32(np.sqrt(shape[0])))

    def linear(self, x: str, width: int, out: int) -> str:
        product = self.node("MatMul", x, self.weight(width, out))
        return self.node("Add", product, self.constant(np.zeros(out, np.float32)))

    def norm(self, x: str) -> str:
        scale, bias = self.constant(np.ones(WIDTH, np.float32)), self.constant(np.zeros(WIDTH, np.float32))
        return self.node("LayerNormalization", x, scale, bias, axis=-1, epsilon=1e-5)

    def gelu(self, x: str) -> str:
        inner = self.node("Erf", self.node("Div", x, self.constant(np.float32(np.sqrt(2)))))
        return self.node(
            "Mul",
            self.node("Mul", x, self.node("Add", inner, self.constant(np.float32(1)))),
            self.constant(np.float32(0.5)),
        )

    def heads(self, x: str, order: list[int]) -> str:
        shape = self.constant(np.array([0, 0, HEADS, WIDTH // HEADS], np.int64))
        return self.node("Transpose", self.node("Reshape", x, shape), perm=order)

    def attention(self, x: str, mask: str) -> str:
        query, key, value = (self.linear(x, WIDTH, WIDTH) for _ in range(3))
        scores = self.node("MatMul", self.heads(query, [0, 2, 1, 3]), self.heads(key, [0, 2, 3, 1]))
        scaled = self.node("Div", scores, self.constant(np.float32(np.sqrt(WIDTH // HEADS))))
        weights = self.node("Softmax", self.node("Add", scaled, mask), axis=-1)
        mixed = self.node("Transpose", self.node("MatMul", weights, self.heads(value, [0, 2, 1, 3])), perm=[0, 2, 1, 3])
        joined = self.node("Reshape", mixed, self.constant(np.array([0, 0, WIDTH], np.int64)))
        return self.linear(joined, WIDTH, WIDTH)


def transformer() -> onnx.ModelProto:
    """An encoder like BERT's, of random weights: (batch, seq) token ids and their mask -> (batch, classes) scores."""
    graph = _Graph()
    x = graph.norm(graph.node("Gather", graph.weight(WORDS, WIDTH), "input_ids"))
    mask = graph.node(
        "Unsqueeze", graph.node("Cast", "attention_mask", to=1), graph.constant(np.array([1, 2], np.int64))
    )
    hidden = graph.node("Sub", graph.constant(np.float32(1)), mask)
    mask = graph.node("Mul", hidden, graph.constant(np.float32(-10000)))
    for _ in range(LAYERS):
        x = graph.norm(graph.node("Add", x, graph.attention(x, mask)))
        wide = graph.gelu(graph.linear(x, WIDTH, 4 * WIDTH))
        x = graph.norm(graph.node("Add", x, graph.linear(wide, 4 * WIDTH, WIDTH)))
    first = graph.node("Gather", x, graph.constant(np.int64(0)), axis=1)
    scores = graph.linear(first, WIDTH, CLASSES)
    graph.nodes[-1].output[0] = "logits"
    assert scores
    made = helper.make_graph(
        graph.nodes,
        "encoder",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, ("batch", "seq"))
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ("batch", CLASSES))],
        [numpy_helper.from_array(value, name) for name, value in graph.weights.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model
