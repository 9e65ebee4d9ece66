"""Where a model lies, so that a spec can name it: where it is if the project holds it, else copied into the project."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..engines.formats import BACKENDS
from ..project import shown
from ..review.sources import digest, digest_of
from ..spec.findings import SlipformError
from .draft import Address
from .models.signature import Signature


@dataclass(frozen=True)
class Place:
    """A model's address; ``copy_to`` is the version's folder that has to be made for it, if one has."""

    address: Address
    copy_to: Path | None = None


def elsewhere(signature: Signature, uri: str) -> Place:
    """In a bucket or on a server, where somebody puts it: the digest and the size are those of the files here."""
    uri = uri.rstrip("/")
    if PurePosixPath(uri.partition("://")[2]).suffix:
        sha256 = digest(signature.main)
    else:
        sha256 = digest_of(_names(signature))
    folder = signature.main.resolve().parent.name
    version = int(folder) if re.fullmatch(r"[1-9][0-9]*", folder) else 1
    return Place(Address(uri, version, sha256, size=f"{max(1, -(-signature.size // 1024))}Ki"))


def in_the_project(signature: Signature, name: str, root: Path, models: Path) -> Place:
    """Where it is, if that is inside ``root`` and an address can say so; else a copy in ``models/<name>/1``.

    Raises SlipformError where another model lies there already.
    """
    if here := _as_it_lies(signature, root):
        return Place(here)
    folder = models / name / "1"
    sha256 = digest_of(_names(signature))
    address = Address(f"file:{folder.parent.relative_to(root).as_posix()}", 1, sha256)
    if not folder.exists():
        return Place(address, folder)
    if digest(folder) == sha256:
        return Place(address)
    raise SlipformError(
        f"{shown(folder)} holds another model already\n"
        f"choose another --name; or put this one into {shown(folder.parent / '2')}, and write version: 2 in its spec"
    )


def copy(signature: Signature, folder: Path) -> None:
    """The model's files as a version's folder, whole or not at all; the model under the name that engines look for."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".slipform-init-", dir=folder.parent) as scratch:
        version = Path(scratch) / folder.name
        for name, file in _names(signature).items():
            (version / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, version / name)
        version.rename(folder)


def _as_it_lies(signature: Signature, root: Path) -> Address | None:
    """``<folder>/<version>/model.onnx`` by its folder, a single file by itself; None where no address can say it."""
    main = signature.main.resolve()
    if not main.is_relative_to(root):
        return None
    version, folder = main.parent, main.parent.parent
    as_repository = re.fullmatch(r"[1-9][0-9]*", version.name) and main.name == _filename(signature)
    if as_repository and folder.is_relative_to(root) and _plain(folder.relative_to(root)) and not folder.suffix:
        return Address(f"file:{folder.relative_to(root).as_posix()}", int(version.name), digest(version))
    if (
        signature.format != "tensorflow"
        and len(signature.files) == 1
        and main.suffix
        and _plain(main.relative_to(root))
    ):
        return Address(f"file:{main.relative_to(root).as_posix()}", 1, digest(main))
    return None


def _plain(path: Path) -> bool:
    """Whether it can stand in an address as it is."""
    return path != Path() and bool(re.fullmatch(r"[A-Za-z0-9._/-]+", path.as_posix()))


def _names(signature: Signature) -> dict[str, Path]:
    """The files by their names in a version's folder."""
    others = {file.relative_to(signature.main.parent).as_posix(): file for file in signature.files}
    others.pop(signature.main.name)
    return {_filename(signature): signature.main, **others}


def _filename(signature: Signature) -> str:
    """What an engine looks for; a build takes the one file that there is, or the whole folder."""
    known = signature.format in ("onnx", "torchscript")
    return BACKENDS[signature.format].filename if known else signature.main.name
