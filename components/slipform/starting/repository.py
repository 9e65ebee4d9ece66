"""A repository of one's own, from templates: all of it or nothing, and never over what is there."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ..engines.registry import names
from ..review.images import NO_DIGEST
from ..review.sources import digest
from ..spec.findings import SlipformError
from ..spec.modelspec import ModelSpec
from ..spec.schema import as_text, schema
from .requirement import requirements
from .templates import environment

MODEL = "model_specs/models/iris/1/model.onnx"
SCHEMA = "model_specs/.schema.json"
TEMPLATES = {
    "Pulumi.yaml": "Pulumi.yaml.j2",
    "stacks/__main__.py": "program.py.j2",
    "stacks/Pulumi.dev.yaml": "dev.yaml.j2",
    "stacks/Pulumi.prod.yaml": "prod.yaml.j2",
    "model_specs/iris.yaml": "iris.yaml.j2",
    "requirements.txt": "requirements.txt.j2",
    "README.md": "README.md.j2",
    ".gitignore": "gitignore.j2",
    ".github/workflows/slipform.yml": "workflow.yml.j2",
}
"""Files by their template; the model and the schema are not made from one."""


@dataclass(frozen=True)
class Written:
    """What was written: paths relative to ``folder``; ``doubts`` are remarks about it."""

    folder: Path
    name: str
    files: tuple[str, ...]
    doubts: tuple[str, ...] = ()


def write_repository(folder: Path, name: str | None = None) -> Written:
    """A project ``name`` (absent: the folder's) in ``folder``, which may exist without any of the files.

    Raises SlipformError, with nothing written, where something is in the way, the name is none that Pulumi takes, or
    the disk refuses.
    """
    name = project_name(name) if name is not None else name_of(folder)
    needed, doubts = requirements()
    wanted = _tops()
    try:
        if in_the_way := [top for top in wanted if os.path.lexists(folder / top)]:
            raise SlipformError(
                f"{folder} has {', '.join(in_the_way)} already; nothing was written\n"
                "choose a new folder, and move what you want to keep into it afterwards"
            )
        _all_at_once(folder, name, needed)
    except OSError as error:
        raise SlipformError(f"{error.filename or folder} can't be written: {error.strerror}") from None
    return Written(folder, name, tuple(sorted((*TEMPLATES, MODEL, SCHEMA))), doubts)


def project_name(given: str) -> str:
    """``given``, if Pulumi takes it for a project. Raises SlipformError."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", given):
        near = _near(given)
        remedy = f"; write {near}" if near else ""
        raise SlipformError(f"--name {given!r} is no project's name: letters, digits, '-', '_' and '.'{remedy}")
    return given


def name_of(folder: Path) -> str:
    """A project's name from its folder's. Raises SlipformError where nothing of it can be kept."""
    if near := _near(folder.resolve().name):
        return near
    raise SlipformError(f"no project's name can be made of {folder}; choose one with --name")


def _near(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.]+", "-", text).strip("-._")[:100]


def _tops() -> list[str]:
    """The files and folders that will lie in the repository's own folder."""
    return sorted({path.split("/")[0] for path in (*TEMPLATES, MODEL)})


def _all_at_once(folder: Path, name: str, needed: str) -> None:
    """Written beside, then renamed: a new folder in one step, an existing one entry by entry, back out if one fails."""
    exists = folder.is_dir()
    parent = folder if exists else folder.parent
    if not exists:
        parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".slipform-new-", dir=parent))
    try:
        _write(staging, name, needed)
        if not exists:
            staging.chmod(0o777 & ~_umask())
            staging.rename(folder)
            return
        _move_in(staging, folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _move_in(staging: Path, folder: Path) -> None:
    try:
        for top in _tops():
            (staging / top).rename(folder / top)
    except BaseException:
        for top in _tops():
            if not (staging / top).exists():
                (folder / top).rename(staging / top)
        raise


def _write(folder: Path, name: str, needed: str) -> None:
    model = folder / MODEL
    model.parent.mkdir(parents=True)
    with resources.as_file(resources.files(__package__) / "templates" / "iris.onnx") as trained:
        shutil.copyfile(trained, model)
    values = {"name": name, "requirement": needed, "no_digest": NO_DIGEST, "iris_sha256": digest(model.parent)}
    templates = environment()
    for path, template in TEMPLATES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(templates.get_template(template).render(values), encoding="utf-8")
    (folder / SCHEMA).write_text(as_text(schema(ModelSpec, names())), encoding="utf-8")


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
