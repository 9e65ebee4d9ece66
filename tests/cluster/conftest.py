"""The fixtures of the tests that need a control plane.

SLIPFORM_CLUSTER=kind runs the same tests on kind (through pytest-kind, with Docker) instead of local processes.
"""

import os
import shutil
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from tests.cluster import crds, nodes, tools
from tests.cluster.plane import PROGRAMS, Plane, kind_plane, local_plane

_numbers = count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.cluster)


def require(*names: str) -> list[Path]:
    """The tools of these names. In CI a missing one is made; elsewhere the test is skipped and says what to do."""
    found = {name: tools.ensure(name) if os.environ.get("CI") else tools.find(name) for name in names}
    if missing := [name for name, path in found.items() if path is None]:
        pytest.skip(
            f"not on this machine: {', '.join(missing)}; `python -m tests.cluster.tools {' '.join(missing)}` makes it"
        )
    return [path for path in found.values() if path is not None]


@pytest.fixture(scope="session")
def _takes_all_down_on_sigterm() -> Iterator[None]:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def plane(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, _takes_all_down_on_sigterm: None
) -> Iterator[Plane]:
    """A cluster with every CustomResourceDefinition, one GPU node and one CPU node; one for the whole run."""
    folder = tmp_path_factory.mktemp("plane")
    if os.environ.get("SLIPFORM_CLUSTER") == "kind":
        if shutil.which("docker") is None:
            pytest.fail("SLIPFORM_CLUSTER=kind needs Docker, which is not on PATH")
        require("kwok")
        started = kind_plane(_kind_kubeconfig(request), folder)
    else:
        require(*PROGRAMS)
        started = local_plane(folder)
    require(*(recipe.name for recipe in tools.CRDS))
    with started as plane:
        crds.install(plane.api)
        with nodes.added(plane.api, nodes.node("cpu-0"), nodes.node("gpu-0", cpu="4", memory="16Gi", gpus=1)):
            yield plane


def _kind_kubeconfig(request: pytest.FixtureRequest) -> Path:
    """Of the cluster that pytest-kind makes: with a kind of ours, since its own is of 2022 and its Kubernetes 1.25."""
    options = request.config.option
    if options.kind_bin is None:
        [kind] = require("kind")
        options.kind_bin = str(kind)
    kubeconfig: Path = request.getfixturevalue("kind_cluster").kubeconfig_path
    return kubeconfig


@pytest.fixture
def namespace(plane: Plane) -> Iterator[str]:
    """A namespace of the test's own, whose deletion takes with it what the test left behind."""
    name = f"test-{next(_numbers)}"
    plane.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    plane.api.until("v1", "ServiceAccount", lambda found: "default" in found, namespace=name)
    yield name
    plane.api.delete("v1", "Namespace", name)
