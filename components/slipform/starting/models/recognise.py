"""Which format a file or folder is, by its content; what can't be read is named, with what to do."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

from . import boosters, mlflow, onnx, pytorch, tensorflow, torchscript
from .signature import Signature, Unreadable

SKLEARN = (
    "skl2onnx.to_onnx(model, X[:1], options={'zipmap': False}) makes ONNX of it; save that with .SerializeToString()"
)
TORCH = "torch.onnx.export(model, inputs, 'model.onnx', dynamo=True) makes ONNX of it"
KERAS = "model.export('model.onnx', format='onnx') makes ONNX of it (Keras 3)"
ENGINE = "give the ONNX that it was made from; build: in its spec makes the engine, for the hardware that serves it"

_BEGINNINGS: tuple[tuple[bytes, str, str], ...] = (
    (b"version https://git-lfs", "a pointer of Git LFS, not the model", "run git lfs pull"),
    (b"<!DOCTYPE", "a web page, not a model", "download it anew: the address needs a login, or was that of a page"),
    (b"<html", "a web page, not a model", "download it anew: the address needs a login, or was that of a page"),
    (b"<?xml", "XML, such as OpenVINO's", ENGINE),
    (b"GGUF", "GGUF: a language model's weights, for llama.cpp and its like", "no engine here serves it"),
    (b"\x89HDF", "HDF5, such as Keras' .h5", KERAS),
    (b"ptrt", "an engine of TensorRT", ENGINE),
    (b"ftrt", "an engine of TensorRT", ENGINE),
    (b"\x1f\x8b", "compressed", "unpack it"),
)
_PICKLES = (".pkl", ".pickle", ".joblib", ".dill")


def read(path: Path) -> Signature:
    """What a model says of itself, in a file or in a folder. Raises Unreadable."""
    if not path.exists():
        raise Unreadable(f"{path}: there is no such file or folder")
    try:
        return _folder(path) if path.is_dir() else _file(path)
    except OSError as error:
        raise Unreadable(f"{error.filename or path} can't be read: {error.strerror}") from None


def _file(file: Path) -> Signature:
    with file.open("rb") as stream:
        head = stream.read(64)
    for beginning, what, remedy in _BEGINNINGS:
        if head.startswith(beginning):
            raise Unreadable(f"{file} is {what}\n    {remedy}")
    if not head:
        raise Unreadable(f"{file} is empty")
    if head[4:8] == b"TFL3":
        raise Unreadable(f"{file} is TensorFlow Lite's\n    {ENGINE}")
    for recognised, reader in _READERS:
        if recognised(file, head):
            return reader(file)
    return onnx.read(file)


def _is_pickle(file: Path, head: bytes) -> bool:
    return (head[0] == 0x80 and head[1:2] in b"\x02\x03\x04\x05") or file.suffix in _PICKLES


def _pickle(file: Path) -> Signature:
    raise Unreadable(
        f"{file} is a pickle: whoever made it decides what runs when it is read, so it isn't read here\n"
        f"    where the model was trained, {SKLEARN}"
    )


def _is_safetensors(file: Path, head: bytes) -> bool:
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") < file.stat().st_size


def _safetensors(file: Path) -> Signature:
    raise Unreadable(
        f"{file} is safetensors: weights without the computation\n"
        "    optimum-cli export onnx --model FOLDER OUT makes ONNX of a model from Hugging Face"
    )


def _is_zip(file: Path, head: bytes) -> bool:
    return head.startswith(b"PK\x03\x04") and zipfile.is_zipfile(file)


def _zip(file: Path) -> Signature:
    with zipfile.ZipFile(file) as archive:
        paths = archive.namelist()
    names = {path.rpartition("/")[2] for path in paths}
    if any(path.endswith(pytorch.PROGRAMS) for path in paths):
        return pytorch.read(file)
    if torchscript.CONSTANTS in names:
        takes = ", ".join(torchscript.arguments(file)) or "something"
        raise Unreadable(
            f"{file} is TorchScript: it takes {takes}, and does not say of what type and shape\n    {TORCH}"
        )
    if "data.pkl" in names:
        raise Unreadable(f"{file} is a pickle of PyTorch's, which does not say what goes in and out\n    {TORCH}")
    if "config.json" in names:
        raise Unreadable(f"{file} is Keras' own format\n    {KERAS}")
    raise Unreadable(f"{file} is a zip archive\n    unpack it")


_READERS: tuple[tuple[Callable[[Path, bytes], bool], Callable[[Path], Signature]], ...] = (
    (lambda _, head: head.startswith(b"{"), boosters.xgboost),
    (lambda _, head: head.startswith(b"tree\n"), boosters.lightgbm),
    (_is_pickle, _pickle),
    (_is_safetensors, _safetensors),
    (_is_zip, _zip),
)


def _folder(folder: Path) -> Signature:
    """A folder of versions, of a version, or one that holds a single model."""
    if (folder / tensorflow.FILE).is_file():
        return tensorflow.read(folder)
    if (folder / mlflow.FILE).is_file():
        return read(mlflow.model(folder))
    versions = sorted((each for each in folder.iterdir() if each.is_dir() and each.name.isdigit()), key=_number)
    if versions:
        return _folder(versions[-1])
    models = sorted(folder.glob("*.onnx"))
    if len(models) == 1:
        return _file(models[0])
    names = ", ".join(file.name for file in models) or ", ".join(sorted(each.name for each in folder.iterdir())[:8])
    raise Unreadable(
        f"{folder} has {'several models' if models else 'no model that can be read'}: {names or 'it is empty'}\n"
        "    name the file"
    )


def _number(folder: Path) -> int:
    return int(folder.name)
