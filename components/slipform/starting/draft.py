"""A first spec for a model: what its file says, and assumptions for the rest, each with its reason."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..spec.findings import SlipformError
from ..spec.vocabulary import MAX_NAME, Name
from .models.signature import Axis, FoundTensor, Signature
from .templates import environment

MAX_BATCH = 32
MIB = 2**20
TO_ONNX = "`slipform build` makes ONNX of it, which every engine serves"
_NO_BATCH = re.compile(
    r"seq|len|time|frame|token|word|char|height|width|depth|chann|point|node|edge|box|det|class|feature|audio|sample_"
)
"""Names of axes that count something else than the requests of a batch."""
OWN_SERVERS = {"mlflow": "mlflow", "bento": "bentoml"}
"""By format, the engine that alone takes it."""
_NO_NAMES = {
    "mlmodel",
    "bento",
    "model",
    "best",
    "last",
    "net",
    "network",
    "weights",
    "saved_model",
    "inference",
    "export",
    "exported",
}
"""What files are called whatever is in them."""


@dataclass(frozen=True)
class Assumption:
    """A value that no file says, and why it was chosen."""

    field: str
    value: str
    reason: str


@dataclass(frozen=True)
class Address:
    """Where clusters and ``slipform serve`` get the model: the fields of ``model`` that say so."""

    uri: str
    version: int
    sha256: str
    size: str | None = None


@dataclass(frozen=True)
class Draft:
    """The spec's text, and what in it was assumed."""

    text: str
    assumptions: tuple[Assumption, ...]


def draft(signature: Signature, name: str, address: Address, *, team: str | None = None, schema: bool = True) -> Draft:
    """The spec of the model ``name``; ``schema`` is whether editors find .schema.json beside it."""
    batched, why = batching(signature)
    memory = _memory(signature.size, least=4 if signature.format in OWN_SERVERS else 2)
    assumed = [
        *_engine(signature),
        *_batches(signature, batched, why),
        Assumption(
            "serving.resources.memory", memory, f"three times the {_mib(signature.size)} of the model, and the server"
        ),
    ]
    outputs = _tensors(signature.outputs, batched) if all(t.shape is not None for t in signature.outputs) else []
    text = environment().get_template("spec.yaml.j2")
    values = {
        "schema": schema,
        "source": signature.main.name,
        "origin": signature.origin,
        "name": name,
        "team": team,
        "format": signature.format,
        "address": address,
        "inputs": _tensors(signature.inputs, batched),
        "outputs": outputs,
        "trust_pickle": signature.trust_pickle,
        "assumed": {each.field.rpartition(".")[2]: each for each in assumed},
    }
    return Draft(text.render(values), tuple(assumed))


def _batches(signature: Signature, batched: bool, why: str) -> Iterator[Assumption]:
    if signature.format not in OWN_SERVERS:
        yield Assumption("serving.batching.max_batch_size", str(MAX_BATCH if batched else 0), why)


def _engine(signature: Signature) -> Iterator[Assumption]:
    if own := OWN_SERVERS.get(signature.format):
        yield Assumption(
            "serving.engine", own, "its own server takes it as it is, in an image of yours (serving.image)"
        )
        return
    yield Assumption(
        "serving.engine", "fastapi", "the bundled runtime serves ONNX on processors; triton does on GPUs too"
    )
    if signature.format != "onnx":
        yield Assumption("build.target", "onnx", TO_ONNX)


def name_of(signature: Signature) -> tuple[str, str]:
    """A name by which Kubernetes can know the model, and where it is from. Raises SlipformError where there is none."""
    folders = [each.name for each in signature.main.resolve().parents if not each.name.isdigit()]
    for word, what in (
        (signature.main.stem, "the file's name"),
        *((each, "its folder's") for each in folders[:2]),
    ):
        if word.lower() not in _NO_NAMES and (name := _label(word)):
            return name, what
    raise SlipformError(f"no name can be made of {signature.main}; choose one with --name")


def checked_name(given: str) -> str:
    """``given``, if Kubernetes takes it for a model's name. Raises SlipformError."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(Name).validate_python(given)
    except ValidationError:
        near = _label(given)
        remedy = f"; write {near}" if near else ""
        raise SlipformError(
            f"--name {given!r} is no name that Kubernetes takes: at most {MAX_NAME} small letters, digits and dashes, "
            f"a letter first, no dash at the end{remedy}"
        ) from None


def _label(word: str) -> str:
    """The nearest RFC 1123 label, a letter first, cut at a dash where it is too long."""
    label = re.sub(r"[^a-z0-9]+", "-", word.lower()).strip("-").lstrip("0123456789-")
    if len(label) > MAX_NAME:
        label = label[: MAX_NAME + 1].rpartition("-")[0] or label
    return label[:MAX_NAME].strip("-")


def batching(signature: Signature) -> tuple[bool, str]:
    """Whether the first axis of every tensor counts the requests of a batch, and by what that is known."""
    for tensor in (*signature.inputs, *signature.outputs):
        if tensor.shape is None:
            return False, f"{tensor.name} has no shape in the file, so each request runs alone"
        if not tensor.shape:
            return False, f"{tensor.name} has no axes, so each request runs alone"
        if tensor.shape[0].size is not None:
            return False, (
                f"the first axis of {tensor.name} is always {tensor.shape[0].size}, so each request runs alone: export "
                "the model with a batch axis that varies, and several run at once"
            )
        first = tensor.shape[0].name
        if _NO_BATCH.search(first.lower()) and "batch" not in first.lower():
            return False, f"the first axis of {tensor.name} is called {first}, so each request runs alone"
    return True, "the first axis of every tensor varies: taken for the batch"


def _tensors(tensors: Sequence[FoundTensor], batched: bool) -> list[dict[str, Any]]:
    """As the spec writes them: without the batch axis, an axis that varies by a name."""
    result = []
    for tensor in tensors:
        row: dict[str, Any] = {"name": tensor.name, "dtype": tensor.dtype, "shape": list(_shape(tensor, batched))}
        result.append(row | ({"labels": list(tensor.labels)} if tensor.labels else {}))
    return result


def _shape(tensor: FoundTensor, batched: bool) -> Iterator[int | str]:
    axes = (tensor.shape or ())[batched:]
    picture = _picture(axes)
    for index, axis in enumerate(axes, start=int(batched)):
        if axis.size is not None:
            yield axis.size
        elif axis.name.isidentifier():
            yield axis.name
        else:
            yield picture.get(index - batched) or _axis_name(tensor.name, index)


def _axis_name(tensor: str, index: int) -> str:
    """A name of its own for an axis that has none: the tensor's and its number."""
    made = f"{re.sub(r'[^0-9A-Za-z]+', '_', tensor).strip('_')}_{index}"
    return made if made.isidentifier() and not made.startswith("_") else f"axis_{made.strip('_')}"


def _picture(axes: Sequence[Axis]) -> Mapping[int, str]:
    """Names for the sides of a picture: three axes, the first or the last of one, three or four colours."""
    if len(axes) != 3:
        return {}
    if axes[0].size in (1, 3, 4):
        return {1: "height", 2: "width"}
    return {0: "height", 1: "width"} if axes[2].size in (1, 3, 4) else {}


def _memory(size: int, least: int) -> str:
    """In quarters of a GiB, at least so many of them: a Python server has its libraries in memory too."""
    quarters = max(least, -(-(3 * size + 256 * MIB) // (256 * MIB)))
    return f"{quarters // 4}Gi" if quarters % 4 == 0 else f"{quarters * 256}Mi"


def _mib(size: int) -> str:
    return f"{size / MIB:.1f} MiB" if size >= MIB / 10 else f"{-(-size // 1024)} KiB"
