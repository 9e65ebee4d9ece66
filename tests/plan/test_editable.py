"""A program in another copy of a checkout imports that copy's packages, however they were installed for editing."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path
from textwrap import dedent

import pytest

from slipform import plan
from slipform.plan import project, record

PTH = {
    "a path": "{checkout}/components\n",
    "an import hook like hatchling's": (
        "import sys; exec(\"class F:\\n    _redirections = {{'own': '{checkout}/components/own/__init__.py'}}\\n"
        "    @classmethod\\n    def find_spec(cls, name, path=None, target=None):\\n"
        "        import importlib.util\\n"
        "        place = cls._redirections.get(name)\\n"
        "        return importlib.util.spec_from_file_location(name, place) if place else None\\n"
        'sys.meta_path.append(F)")\n'
    ),
}


def copy(folder: Path, version: str) -> None:
    (folder / "components" / "own").mkdir(parents=True)
    (folder / "components" / "own" / "__init__.py").write_text(f"version = {version!r}\n")
    (folder / "Pulumi.yaml").write_text(
        "name: shop\nruntime: {name: python, options: {virtualenv: ../checkout/.venv}}\n"
    )
    program = "import pulumi, own, sys\npulumi.export('own', own.version)\npulumi.export('prefix', sys.prefix)\n"
    (folder / "__main__.py").write_text(dedent(program))


@pytest.mark.parametrize("pth", PTH.values(), ids=PTH)
def test_the_moved_checkouts_own_package_is_imported(tmp_path: Path, pth: str) -> None:
    tmp_path = tmp_path.resolve()
    checkout, worktree = tmp_path / "checkout", tmp_path / "worktree"
    copy(checkout, "edited")
    copy(worktree, "committed")
    venv.create(checkout / ".venv", with_pip=False)
    site = next((checkout / ".venv").glob("lib/python*/site-packages"))
    (site / "theirs.pth").write_text(pth.format(checkout=checkout))
    for entry in sys.path:
        if (Path(entry) / "pulumi" / "__init__.py").exists():
            (site / "pulumi.pth").write_text(f"{entry}\n")

    assert plan.run(checkout, "dev").outputs["own"] == "edited"
    with record.start(project.find(worktree), "dev", moved=[(checkout, worktree)]) as running:
        moved = running.finish()
    assert moved.outputs == {"own": "committed", "prefix": str(checkout / ".venv")}


def test_setuptools_finder_is_moved_too(tmp_path: Path) -> None:
    """Its import hook keeps the places in a module's MAPPING."""
    code = """
    import sys, types
    module = types.ModuleType("__editable___own_1_0_finder")
    module.MAPPING = {"own": "/checkout/own"}
    class Finder:
        find_spec = classmethod(lambda *_: None)
    Finder.__module__ = module.__name__
    sys.modules[module.__name__] = module
    sys.meta_path.append(Finder)
    sys.path.append("/checkout/components")
    sys.path.append("/checkout-other")
    from slipform.plan.recorder.editable import move_imports
    move_imports([("/checkout", "/worktree")])
    print(module.MAPPING["own"], *sys.path[-2:])
    """
    run = subprocess.run([sys.executable, "-c", dedent(code)], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["/worktree/own", "/worktree/components", "/checkout-other"]
