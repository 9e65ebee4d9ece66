"""The short way of a diff: where only spec files differ between the two sides, only their servers are planned.

It says the same as the whole way, for four reasons, and is not taken where one of them is missing:

- The program is the one that `slipform new` writes. It makes `Shared` of the stack's config and of which engines there
  are, and each ModelService of its own specs, the stack's config and files of the project. Another program may make
  anything of anything.
- Each side still reads and checks every spec. So the engines are known, names, addresses and servers are held against
  each other, and every warning and every error is there.
- All else is the same on both sides: whatever git tracks, and what it does not but would. A file that git ignores could
  differ unseen, so specs that name files of the project (`file:` models, handlers) are always planned.
- What servers have in common outside the stack's shared part, such as the AWS provider, comes with the first that needs
  it. Where one side's servers need it and the other's do not, nobody knows whether those that were left out do: then
  all is planned (`is_whole`). Where a spec comes or goes, some that stay are planned too, which makes this rare.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from ..project import patterns_of, server_of
from ..spec.findings import SlipformError
from . import stack_config
from .checkout import differing
from .graph import Graph
from .project import Project, read

# In bytes, of the servers' names: more does not fit the program's environment, and would be most of the stack anyway.
_MOST = 64 * 1024
# What a spec that names a file of the project says somewhere; an escaped letter may hide it.
_LOCAL = (b"file:", b"handler", b"\\")
_BESIDE = 2


def servers(
    top: Path, commits: tuple[str, str], roots: tuple[Path, Path], here: Project, stack: str
) -> frozenset[str] | None:
    """The servers that have to be planned on both sides, None where the whole stack has to."""
    files = [root / here.file.relative_to(top) for root in roots]
    try:
        if (
            not all(_is_known(file, stack) for file in files)
            or not _runs_here(here)
            or not _are_configured_alike(files, stack)
        ):
            return None
        specs = [_specs(file, stack) for file in files]
        changed = differing(top, *commits)
        if changed is None or changed - _below(roots, specs):
            return None
        return _of_changed(specs, files, stack.rpartition("/")[2])
    except (SlipformError, OSError, ValueError):
        return None  # whatever is wrong, the program says it better


def _is_known(file: Path, stack: str) -> bool:
    """Whether the side has the project and the stack, and its program is the one that `slipform new` writes."""
    if not file.is_file():
        return False
    project = read(file)
    program = project.program / "__main__.py" if project.program.is_dir() else project.program
    return project.stack_file(stack).is_file() and _meaning(program.read_text(encoding="utf-8")) == _meaning(
        (resources.files("slipform.starting.templates") / "program.py.j2").read_text(encoding="utf-8")
    )


def _meaning(program: str) -> str:
    """A program without its comments, its layout and the text that describes it."""
    try:
        body = ast.parse(program).body
    except (SyntaxError, ValueError):
        return ""
    described = body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    return ast.dump(ast.Module(body[1:] if described else body, []))


def _runs_here(project: Project) -> bool:
    """Whether the program's Slipform is this one, which knows what depends on what."""
    python, _ = project.python()
    return python == Path(sys.executable) or python.parent.parent.resolve() == Path(sys.prefix).resolve()


def _are_configured_alike(files: list[Path], stack: str) -> bool:
    projects = [read(file) for file in files]
    return files[0].read_bytes() == files[1].read_bytes() and stack_config.read(
        projects[0], stack
    ) == stack_config.read(projects[1], stack)


def _below(roots: tuple[Path, Path], specs: list[Mapping[Path, bytes]]) -> set[Path]:
    return {path.relative_to(root) for root, each in zip(roots, specs, strict=True) for path in each}


def _specs(file: Path, stack: str) -> Mapping[Path, bytes]:
    """The stack's spec files with what is in them."""
    project = read(file)
    config = stack_config.read(project, stack)
    files = {
        path
        for pattern in patterns_of(config.values)
        for path in project.root.glob(pattern)
        if path.is_file() and not path.name.startswith(".")
    }
    return {path: path.read_bytes() for path in sorted(files)}


def _of_changed(specs: list[Mapping[Path, bytes]], files: list[Path], stack: str) -> frozenset[str] | None:
    """The servers, on either side, of the specs that differ or name files."""
    sides = [
        {path.relative_to(file.parent): text for path, text in each.items()}
        for each, file in zip(specs, files, strict=True)
    ]
    wanted = {
        path
        for path in sides[0].keys() | sides[1].keys()
        if sides[0].get(path) != sides[1].get(path) or any(mark in sides[0][path] for mark in _LOCAL)
    }
    if sides[0].keys() != sides[1].keys():
        wanted |= set(sorted(sides[0].keys() & sides[1].keys() - wanted)[:_BESIDE])
    found = {
        server_of(file.parent / path, stack)
        for side, file in zip(sides, files, strict=True)
        for path in wanted
        if path in side
    }
    names = frozenset(name for name in found if name is not None)
    if None in found or len(",".join(names).encode()) > _MOST:
        return None
    return names


def is_whole(base: Graph, head: Graph) -> bool:
    """Whether two graphs of the short way show all: what belongs to no component is on both or on neither."""
    return _loose(base) == _loose(head)


def _loose(graph: Graph) -> set[str]:
    return {resource.urn for resource in graph.children(None) if resource.custom}
