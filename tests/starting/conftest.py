"""The installed wheels, and a repository that `slipform new` wrote with them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .environment import Environment, commit, made


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return made(tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="session")
def written(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `slipform new` wrote, as the first commit; not to be changed."""
    folder = tmp_path_factory.mktemp("written")
    done = environment.slipform("new", "models", cwd=folder)
    assert done.returncode == 0, done.stderr
    commit(folder / "models")
    return folder / "models"


@pytest.fixture
def models(written: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    return Path(shutil.copytree(written, tmp_path / "models"))
