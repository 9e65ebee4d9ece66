"""Which project, which stack, which files a command is about; and their completion in the shell."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..spec.findings import SlipformError

if TYPE_CHECKING:
    from ..spec.modelspec import ModelSpec


def stack_names(incomplete: str = "") -> Iterable[str]:
    """For completion: the stacks of the project around here."""
    from ..project import find_root, stack_files

    try:
        return [name for name in stack_files(find_root(Path.cwd())) if name.startswith(incomplete)]
    except SlipformError:
        return []


Stack = Annotated[
    str | None,
    typer.Option(
        "--stack", "-s", help="The stack; absent: $SLIPFORM_STACK, or the only one.", autocompletion=stack_names
    ),
]
Specs = Annotated[
    list[Path] | None,
    typer.Argument(help="Spec files or folders of them; absent: those of the stack, or model_specs/.", metavar="SPECS"),
]


def project_root(specs: Sequence[Path] | None = None) -> Path:
    """The project that the first spec lies in, else the one around here. Raises SlipformError where there is none."""
    from ..project import find_root

    if not specs:
        return find_root(Path.cwd())
    try:
        return find_root(specs[0].absolute() if specs[0].is_dir() else specs[0].absolute().parent)
    except SlipformError:
        return find_root(Path.cwd())


def read_here(given: Sequence[Path], stack: str | None = None) -> tuple[Path, tuple[ModelSpec, ...]]:
    """Specs for this machine, and the folder that their paths are relative to; a spec needs no project for that."""
    from ..project import read_specs

    try:
        root = project_root(given)
    except SlipformError:
        root = Path.cwd()
    return root, read_specs(root, spec_files(root, given), stack)


def chosen_stack(root: Path, given: str | None) -> str:
    """The stack that was given, or the one that needs no saying."""
    from ..project import stack_files

    known = stack_files(root)
    name = given or os.environ.get("SLIPFORM_STACK")
    if name is None and len(known) == 1:
        name = next(iter(known))
    if name is None:
        names = ", ".join(known) or "none: there is no Pulumi.<stack>.yaml"
        raise SlipformError(f"which stack? Choose one with -s STACK; the stacks here: {names}")
    return name


def _near(root: Path, path: Path) -> Path | None:
    """The spec that a path which leads nowhere may mean: often its name alone is given."""
    from ..project import shown
    from ..spec.findings import nearest

    specs = {file.stem: file for file in (root / "model_specs").glob("*.yaml") if not file.name.startswith(".")}
    name = nearest(path.stem, specs)
    return shown(specs[name]) if name else None


def spec_files(root: Path, given: Sequence[Path] | None) -> list[Path]:
    """The files that were given, folders opened; absent, those in model_specs/. Raises where there is none."""
    files: list[Path] = []
    for path in given or [root / "model_specs"]:
        found = (
            sorted(file for file in path.glob("*.yaml") if not file.name.startswith(".")) if path.is_dir() else [path]
        )
        if not found:
            other = next(iter(sorted(path.glob("*.yml"))), None)
            hint = f"rename {other.name}: specs end in .yaml" if other else "name a spec, or a folder with specs"
            raise SlipformError(f"no *.yaml in {path}; {hint}")
        if not path.exists() and (near := _near(root, path)):
            raise SlipformError(f"{path}: there is no such file; did you mean {near}?")
        files += found
    return [file.absolute() for file in files]
