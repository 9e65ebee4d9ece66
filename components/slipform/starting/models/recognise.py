"""Which format a file or folder is, by its content; what can't be read is named, with what to do."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

from ...review.sources import files_of
from . import boosters, keras, mlflow, onnx, pickles, pytorch, skops, tensorflow, torchscript
from .signature import Signature, Unreadable
from .stated import NOTHING, Stated

TORCH = "torch.onnx.export(model, inputs, 'model.onnx', dynamo=True) makes ONNX of it"
KERAS = "keras.saving.load_model(FILE).save('model.keras') makes of it what can be read"
ENGINE = "give the ONNX that it was made from; build: in its spec makes the engine, for the hardware that serves it"

BENTO = "bento.yaml"

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
    (
        b"\xfd7zXZ",
        "compressed, as bentoml export does it",
        "unpack it into a folder of its own: tar -xf FILE -C FOLDER",
    ),
)
_SUFFIXES = (".onnx", ".pt2", ".keras", ".pt", ".pth", ".skops", ".ubj", ".xgb", ".lgb")
"""A folder's model is the one file that ends in the first of these that any does."""
_PICKLES = (".pkl", ".pickle", ".joblib", ".dill")


def read(path: Path, stated: Stated = NOTHING) -> Signature:
    """What a model says of itself, in a file or in a folder; what it leaves out is ``stated``.

    Raises Unreadable; Silent, where more has to be stated.
    """
    if not path.exists():
        raise Unreadable(f"{path}: there is no such file or folder")
    try:
        found = _folder(path, stated) if path.is_dir() else _file(path, stated)
    except OSError as error:
        raise Unreadable(f"{error.filename or path} can't be read: {error.strerror}") from None
    if stated.inputs not in ((), found.inputs):
        own = ", ".join(tensor.described() for tensor in found.inputs)
        raise Unreadable(f"{found.main} says itself what it takes: {own}\n    leave --input away")
    return found


def _file(file: Path, stated: Stated) -> Signature:
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
            return reader(file, stated)
    return onnx.read(file)


def _is_pickle(file: Path, head: bytes) -> bool:
    return (head[0] == 0x80 and head[1:2] in b"\x02\x03\x04\x05") or file.suffix in _PICKLES


def _is_safetensors(file: Path, head: bytes) -> bool:
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") < file.stat().st_size


def _safetensors(file: Path, _: Stated) -> Signature:
    raise Unreadable(
        f"{file} is safetensors: weights without the computation\n"
        "    optimum-cli export onnx --model FOLDER OUT makes ONNX of a model from Hugging Face"
    )


def _is_zip(file: Path, head: bytes) -> bool:
    return head.startswith(b"PK\x03\x04") and zipfile.is_zipfile(file)


def _zip(file: Path, stated: Stated) -> Signature:
    with zipfile.ZipFile(file) as archive:
        paths = archive.namelist()
    names = {path.rpartition("/")[2] for path in paths}
    if any(path.endswith(pytorch.PROGRAMS) for path in paths):
        return pytorch.read(file)
    if torchscript.CONSTANTS in names:
        return torchscript.read(file, stated)
    if skops.SCHEMA in paths:
        return skops.read(file)
    if "data.pkl" in names:
        raise Unreadable(f"{file} is a pickle of PyTorch's, which does not say what goes in and out\n    {TORCH}")
    if keras.CONFIG in paths:
        return keras.read(file)
    if "MAR-INF/MANIFEST.json" in paths:
        raise Unreadable(
            f"{file} is an archive of torch-model-archiver: code, which does not say what goes in and out\n"
            "    write its spec by hand, with format: mar and engine: torchserve; slipform schema helps editors"
        )
    raise Unreadable(f"{file} is a zip archive\n    unpack it")


_READERS: tuple[tuple[Callable[[Path, bytes], bool], Callable[[Path, Stated], Signature]], ...] = (
    (lambda _, head: head.startswith(b"{"), lambda file, _: boosters.xgboost(file)),
    (lambda _, head: head.startswith(b"tree\n"), lambda file, _: boosters.lightgbm(file)),
    (_is_pickle, pickles.read),
    (_is_safetensors, _safetensors),
    (_is_zip, _zip),
)


def _folder(folder: Path, stated: Stated) -> Signature:
    """A folder of versions, of a version, or one that holds a single model."""
    if (folder / tensorflow.FILE).is_file():
        return tensorflow.read(folder)
    if (folder / BENTO).is_file():
        return Signature("bento", folder / BENTO, files_of(folder), (), (), "a bento")
    if (folder / mlflow.FILE).is_file():
        found = mlflow.model(folder)
        return found if isinstance(found, Signature) else read(found, stated)
    versions = sorted((each for each in folder.iterdir() if each.is_dir() and each.name.isdigit()), key=_number)
    if versions:
        return _folder(versions[-1], stated)
    models = next(filter(None, (sorted(folder.glob(f"*{suffix}")) for suffix in _SUFFIXES)), [])
    if len(models) == 1:
        return _file(models[0], stated)
    names = ", ".join(file.name for file in models) or ", ".join(sorted(each.name for each in folder.iterdir())[:8])
    raise Unreadable(
        f"{folder} has {'several models' if models else 'no model that can be read'}: {names or 'it is empty'}\n"
        "    name the file"
    )


def _number(folder: Path) -> int:
    return int(folder.name)
