"""A rendered folder, applied as `kubectl apply -f DIR` does it: file by file in the order of their names."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.manifests import apply_all, render
from tests.cluster.plane import Plane

ROOT = Path(__file__).parents[2]
NAMESPACE = "made-by-the-stack"


@pytest.fixture
def project(plane: Plane, tmp_path: Path) -> Iterator[Path]:
    """The repository's own project, whose stack dev makes a namespace that is not there."""
    for name in ("Pulumi.yaml", "stacks", "model_specs"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "train"))
        else:
            shutil.copy(source, tmp_path / name)
    stack = tmp_path / "stacks" / "Pulumi.dev.yaml"
    text = stack.read_text(encoding="utf-8")
    stack.write_text(text.replace("namespace: models", f"namespace: {NAMESPACE}"), encoding="utf-8")
    yield tmp_path
    plane.api.delete("v1", "Namespace", NAMESPACE)
    plane.api.until("v1", "Namespace", lambda found: NAMESPACE not in found)


def test_a_folder_is_applied_in_one_go(plane: Plane, project: Path) -> None:
    rendered = render("dev", project / "manifests", root=project)
    assert apply_all(plane.api, rendered.objects) == []


def test_kubectl_itself_applies_it_in_one_go(plane: Plane, project: Path) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not on PATH")
    rendered = render("dev", project / "manifests", root=project)
    command = ["kubectl", f"--kubeconfig={plane.kubeconfig}", "apply", "--server-side", "-f", str(rendered.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"namespace/{NAMESPACE} ")
