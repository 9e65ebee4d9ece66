"""Models that lie in the project itself: are they there, are they what the spec says, can they travel?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..spec.findings import FieldPath, Finding, did_you_mean
from ..spec.modelspec import ModelSpec
from ..spec.stack import StackConfig

MAX_IN_CONFIG_MAP = 700 * 1024
"""Bytes of a model that travels inside a ConfigMap: a MiB at most with base64's third and the rest of the object."""


def local_folder(uri: str, version: int, root: Path) -> Path:
    """Where one version of a ``file:`` model lies: ``<uri>/<version>``, or the file that the uri names."""
    path = root / uri.removeprefix("file:")
    return path if path.suffix else path / str(version)


def files_of(folder: Path) -> tuple[Path, ...]:
    """The version's files in order of their paths; of one file, itself."""
    if folder.is_file():
        return (folder,)
    return tuple(sorted(file for file in folder.rglob("*") if file.is_file() and not file.name.startswith(".")))


def digest(folder: Path) -> str:
    """SHA-256 of one file; of a folder, that of its sorted ``<sha256>  <relative path>`` lines."""
    if folder.is_file():
        return hashlib.sha256(folder.read_bytes()).hexdigest()
    return digest_of({file.relative_to(folder).as_posix(): file for file in files_of(folder)})


def digest_of(files: Mapping[str, Path]) -> str:
    """That of a folder which holds ``files`` by these names: of their lines in order, as `sha256sum * | sort` is."""
    lines = (f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {name}\n" for name, file in files.items())
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def problems(spec: ModelSpec, stack: StackConfig | None, root: Path) -> Iterator[Finding]:
    """What is wrong with a model that is named by a path in the project; nothing where it lies elsewhere."""
    for source in spec.sources:
        if source.uri is not None and source.uri.startswith("file:"):
            yield from _version(source.path, source.uri, source.version, source.sha256, spec, stack, root)
    if spec.serving.handler and not (root / spec.serving.handler).is_file():
        yield Finding("no such file", path=("serving", "handler"), given=spec.serving.handler,
                      allowed="a path from the folder of Pulumi.yaml")  # fmt: skip


def _version(
    path: FieldPath, uri: str, version: int, sha256: str | None, spec: ModelSpec, stack: StackConfig | None, root: Path
) -> Iterator[Finding]:
    folder = local_folder(uri, version, root)
    name = folder.relative_to(root)
    if not files_of(folder):
        there = sorted(f.name for f in folder.parent.iterdir()) if folder.parent.is_dir() else []
        yield Finding(
            f"no file in {name}" if folder.is_dir() else f"there is no {name}",
            path=(*path, "version" if folder.parent.is_dir() and not folder.suffix else "uri"),
            given=str(version) if folder.parent.is_dir() and not folder.suffix else uri,
            allowed=f"one of {', '.join(there)}" if there else "a folder with one folder a version",
            remedy=did_you_mean(folder.name, there),
        )
        return
    found = digest(folder)
    if sha256 is not None and sha256 != found:
        yield Finding(
            f"{name} is not the model that was pinned",
            path=(*path, "sha256"),
            given=sha256,
            allowed=found,
            remedy="write the new digest, if the change was meant",
        )
    size = sum(file.stat().st_size for file in files_of(folder))
    if size > spec.serving.resources.memory.bytes:
        yield Finding(
            f"the model has {size // 2**20} MiB, more than a replica's memory",
            path=("serving", "resources", "memory"),
            given=str(spec.serving.resources.memory),
            remedy=f"raise it to {-(-2 * size // 2**30)}Gi",
        )
    if stack is not None and size > MAX_IN_CONFIG_MAP:
        yield Finding(
            f"{name} has {size // 1024} KiB; a cluster gets a model of this project through a ConfigMap",
            path=(*path, "uri") if path == ("model",) else path,
            given=uri,
            allowed=f"at most {MAX_IN_CONFIG_MAP // 1024} KiB",
            remedy="upload it and name the bucket, for this stack alone: stacks: {NAME: {model: {uri: s3://…}}}",
        )
