"""The image, built once for the whole run, and containers of it.

Where it cannot be built its tests are skipped and say what is missing; with CI set they install that and run.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runtime_testing.models import classifier, put
from tests.image import base, buildah, pipconfig
from tests.image.container import Container

RUNTIME = Path(__file__).parents[2] / "runtime"
SECRET = "a-token-that-no-layer-may-keep"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.cluster)


@dataclass(frozen=True)
class Image:
    """A built image: its configuration, and its files as a container has them."""

    store: buildah.Buildah
    name: str
    container: str
    root: Path
    described: dict[str, Any]

    @property
    def config(self) -> dict[str, Any]:
        found: dict[str, Any] = self.described["config"]
        return found


@pytest.fixture(scope="session")
def image() -> Iterator[Image]:
    """The CPU target."""
    if os.environ.get("CI"):
        buildah.install()
    if reasons := buildah.missing():
        pytest.skip(f"no image can be built here: {'; '.join(reasons)} (apt-get install buildah debootstrap)")
    # Not below pytest's folder, of which three runs are kept.
    folder = Path(tempfile.mkdtemp(prefix="slipform-image-"))
    store = buildah.Buildah(folder)
    try:
        yield _built(store, folder)
    finally:
        store.removed()
        shutil.rmtree(folder, ignore_errors=True)


def _built(store: buildah.Buildah, folder: Path) -> Image:
    archives = base.bases()
    secrets = pipconfig.secrets(folder)
    with secrets["pip.conf"].open("a") as file:
        file.write(f"# {SECRET}\n")
    arguments = {
        "BASE": store.imported(archives.base, "base"),
        "BUILDER": store.imported(archives.builder, "builder"),
    }
    name = store.built(RUNTIME, "cpu", arguments, secrets)
    container, root = store.container(name)
    return Image(store, name, container, root, store.inspected(name))


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A repository with one model, readable by any user."""
    put(tmp_path / "models", "wine", classifier())
    return tmp_path / "models"


@pytest.fixture
def start(image: Image, models: Path, tmp_path: Path) -> Iterator[Callable[..., Container]]:
    """Start containers of the image with `models`; they end with the test."""
    started: list[Container] = []

    def run(user: int | None = None) -> Container:
        log = tmp_path / f"container-{len(started)}.log"
        started.append(Container(image.root, image.config, {models: "/models"}, log, user))
        return started[-1]

    yield run
    for container in started:
        container.kill()
