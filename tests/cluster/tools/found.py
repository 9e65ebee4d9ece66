"""Where a tool is: named by the user, or made before."""

import os
import shutil
from pathlib import Path

from tests.cluster.tools import cache
from tests.cluster.tools.kinds import Recipe
from tests.cluster.tools.progress import step
from tests.cluster.tools.recipes import CRDS, TOOLS

ASSETS = "KUBEBUILDER_ASSETS"


def find(name: str) -> Path | None:
    """A tool in KUBEBUILDER_ASSETS, on PATH, or in the cache; None where it is not on this machine."""
    if folder := os.environ.get(ASSETS):
        program = Path(folder) / name
        if os.access(program, os.X_OK):
            return program
    if program_on_path := shutil.which(name):
        return Path(program_on_path)
    recipe = _recipe(name)
    made = cache.folder(recipe.name, recipe.version) / recipe.name
    return made if made.exists() else None


def ensure(name: str) -> Path:
    """The tool, made first where it is not on this machine.

    Raises:
        Unavailable: it is not here and cannot be made here.
    """
    if found := find(name):
        return found
    recipe = _recipe(name)
    target = cache.folder(recipe.name, recipe.version)
    with step(f"{name} {recipe.version}: making it") as note, cache.making(target) as folder:
        if folder is not None:
            recipe.make(folder, note)
    return target / name


def _recipe(name: str) -> Recipe:
    return next(recipe for recipe in (*TOOLS, *CRDS) if recipe.name == name)
