"""One model in a project of its own, planned for a real node: this repository's iris, with changes."""

import copy
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml
from tests.cluster.api import Api, NotFoundError, Object
from tests.cluster.manifests import REPOSITORY, Rendered, render
from tests.cluster.node.running import TAINT
from tests.cluster.plane import Plane

LABELS = {"slipform.dev/real": "true"}
"""Of the nodes that the model goes to."""
WEIGHTS = "model_specs/models/iris/{}/model.onnx"
STACK = "real"
HAS = ("prometheus-operator", "prometheus-adapter")


class Model:
    """The spec of one model and its project's folder."""

    def __init__(
        self, folder: Path, plane: Plane, namespace: str, name: str = "iris", *,
        has: Sequence[str] = HAS, prometheus: str = "http://127.0.0.1:9090", **changes: Any,
    ) -> None:  # fmt: skip
        self.name, self.namespace = name, namespace
        self._root, self._api = folder / name, plane.api
        self._spec = yaml.safe_load((REPOSITORY / "model_specs" / "iris.yaml").read_text())
        for absent in ("stacks", "slo", "traffic"):
            del self._spec[absent]
        del self._spec["model"]["sha256"]  # of version 1 alone
        del self._spec["serving"]["cache"]  # each request is to be executed
        self._spec |= {"name": name, "nodes": {"pool": "real"}}
        self._write_project(plane, has, prometheus)
        self.change(changes)

    @property
    def root(self) -> Path:
        """The project's folder."""
        return self._root

    @property
    def labels(self) -> str:
        """The label selector of its pods."""
        return f"app.kubernetes.io/name={self.name}"

    def change(self, changes: Mapping[str, Any]) -> None:
        """Merges fields into the spec."""
        self._spec = _merged(self._spec, changes)
        (self._root / "model_specs" / f"{self.name}.yaml").write_text(yaml.safe_dump(self._spec))

    def add_version(self, version: int, weights: bytes | None = None) -> None:
        """Puts a version's file beside the others: the first one's, or any bytes."""
        file = self._root / WEIGHTS.format(version)
        file.parent.mkdir(parents=True)
        file.write_bytes(weights or (self._root / WEIGHTS.format(1)).read_bytes())

    def apply(self, *, without: Sequence[str] = ()) -> None:
        """Renders the project as a user does and applies it server-side, except for some kinds."""
        for manifest in self.render().objects:
            if manifest["kind"] not in ("Namespace", *without):
                self._api.apply(manifest)

    def render(self) -> Rendered:
        """The project's manifests, by the command that users have for them."""
        return render(STACK, self._root / "rendered", self._root)

    def deployment(self) -> Object:
        return self._api.get("apps/v1", "Deployment", self.name, self.namespace)

    def scale(self, replicas: int) -> None:
        """Sets the number of replicas, as an autoscaler does."""
        self._api.patch("apps/v1", "Deployment", self.name, self.namespace, {"spec": {"replicas": replicas}})

    def until(self, holds: Any, *, timeout: float = 120.0) -> dict[str, Object]:
        """Waits until something is true of its pods, given by name."""
        return self._api.until("v1", "Pod", holds, namespace=self.namespace, labels=self.labels, timeout=timeout)

    def until_rolled_out(self, *, timeout: float = 180.0) -> None:
        """Waits until every replica is of the newest template and ready, and no pod of another is left."""
        self._api.until(
            "apps/v1", "Deployment", lambda found: _is_rolled_out(found[self.name]),
            namespace=self.namespace, timeout=timeout,
        )  # fmt: skip
        wished = self.deployment()["spec"]["replicas"]
        self.until(lambda pods: len(pods) == wished, timeout=timeout)

    def _write_project(self, plane: Plane, has: Sequence[str], prometheus: str) -> None:
        root = self._root
        (root / "stacks").mkdir(parents=True)
        shutil.copy(REPOSITORY / "Pulumi.yaml", root)
        shutil.copy(REPOSITORY / "stacks" / "__main__.py", root / "stacks")
        (root / WEIGHTS.format(1)).parent.mkdir(parents=True)
        shutil.copy(REPOSITORY / WEIGHTS.format(1), root / WEIGHTS.format(1))
        config = {
            "cluster": {"context": plane.context, "kubeconfig": str(plane.kubeconfig), "namespace": self.namespace},
            "has": list(has),
            "images": {"runtime": f"registry.example.com/slipform-runtime@sha256:{'1' * 64}"},
            "node_pools": {"real": {"provisioner": "existing", "labels": LABELS, "taints": [TAINT]}},
            "prometheus": {"address": prometheus, "scrape_interval": 1},
        }
        text = yaml.safe_dump({"config": {f"slipform:{key}": value for key, value in config.items()}})
        (root / "stacks" / f"Pulumi.{STACK}.yaml").write_text(text)


@contextmanager
def own_namespace(api: Api, name: str) -> Iterator[str]:
    """A namespace for some tests, which is gone soon after them: its pods are not given time to end."""
    api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    try:
        yield name
    finally:
        api.delete("v1", "Namespace", name)
        for pod in api.list("v1", "Pod", name):
            with suppress(NotFoundError):
                api.delete("v1", "Pod", pod["metadata"]["name"], name, grace=0)


def _is_rolled_out(deployment: Object) -> bool:
    status, wished = deployment.get("status", {}), deployment["spec"]["replicas"]
    counts = {status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")}
    return status.get("observedGeneration") == deployment["metadata"]["generation"] and counts == {wished}


def _merged(below: Any, above: Any) -> Any:
    if not isinstance(below, dict) or not isinstance(above, Mapping):
        return copy.deepcopy(above)
    return {key: _merged(below.get(key), above[key]) if key in above else below[key] for key in {**below, **above}}
