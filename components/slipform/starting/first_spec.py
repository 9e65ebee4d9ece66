"""Writes a model's first spec, with a copy of the model where it needs one: both, or neither."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ..project import check, read_specs, shown
from ..review.sources import MAX_IN_CONFIG_MAP
from ..spec.findings import SlipformError, describe, errors
from ..spec.modelspec import ModelSpec
from .draft import Assumption, draft
from .models.signature import Signature
from .placing import Place, copy


@dataclass(frozen=True)
class FirstSpec:
    """What was written, and what should be known about it."""

    file: Path
    spec: ModelSpec
    copied_to: Path | None
    assumptions: tuple[Assumption, ...]
    doubts: tuple[str, ...]


def write_spec(
    signature: Signature, name: str, place: Place, root: Path, file: Path, *, team: str | None = None
) -> FirstSpec:
    """``file``, which must not exist, and the copy that ``place`` asks for.

    Raises SlipformError with every mistake, and with nothing written.
    """
    must_be_new(file)
    made = draft(signature, name, place.address, team=team, schema=(file.parent / ".schema.json").is_file())
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _copied(signature, place), tempfile.TemporaryDirectory(prefix=".slipform-init-", dir=file.parent) as near:
            written = Path(near) / file.name
            written.write_text(made.text, encoding="utf-8")
            spec = _checked(root, written)
            with file.open("x", encoding="utf-8") as new:  # unlike a rename it never replaces
                new.write(made.text)
    except OSError as error:
        raise SlipformError(f"{error.filename or file} can't be written: {error.strerror}") from None
    return FirstSpec(file, spec, place.copy_to, made.assumptions, tuple(_doubts(signature, place, spec)))


def must_be_new(file: Path) -> None:
    """Raises SlipformError where something is there."""
    if os.path.lexists(file):
        raise SlipformError(
            f"{shown(file)} exists and is left as it is\nchoose another --name, or another file with --output"
        )


@contextlib.contextmanager
def _copied(signature: Signature, place: Place) -> Iterator[None]:
    """The copy, which is taken away again where the spec could not be written."""
    if place.copy_to is None:
        yield
        return
    try:
        copy(signature, place.copy_to)
        yield
    except BaseException:
        shutil.rmtree(place.copy_to, ignore_errors=True)
        with contextlib.suppress(OSError):
            place.copy_to.parent.rmdir()
        raise


def _checked(root: Path, written: Path) -> ModelSpec:
    """The spec by itself and beside those of the project, whose own mistakes are theirs. Raises SlipformError."""
    others = sorted(file for file in (root / "model_specs").glob("*.yaml") if not file.name.startswith("."))
    found = errors(check(root, [*others, written]))
    mine = [each for each in found if each.location and each.location.file.name == written.name]
    if mine:
        # Without their lines: of a file that is not kept.
        raise SlipformError("\n".join(describe(replace(each, location=None)) for each in mine))
    (spec,) = read_specs(root, [written])
    return spec


def _doubts(signature: Signature, place: Place, spec: ModelSpec) -> Iterator[str]:
    if spec.model.scheme != "file":
        return
    if spec.build is not None:
        yield (
            "a build in a cluster has no files of this project: upload the model, and write its address as model.uri "
            "(--uri s3://BUCKET/NAME does at once)"
        )
    elif signature.size > MAX_IN_CONFIG_MAP:
        yield (
            f"the model has {signature.size / 2**20:.1f} MiB, and a cluster gets at most {MAX_IN_CONFIG_MAP // 1024} "
            "KiB from a project: upload it, and write its address as model.uri (--uri s3://BUCKET/NAME does at once); "
            "`slipform serve` here needs no upload"
        )
    if signature.size > MAX_IN_CONFIG_MAP and place.copy_to is not None:
        yield f"{shown(place.copy_to)} is a copy: git would keep all of it for ever; leave it out, or use Git LFS"
