"""A stand-in for pulumi-kubernetes: server-side apply to a real API server, with the real plugin's rules.

What it leaves out: previews do not ask the server, names are not made up, only Deployments, Jobs and Services are
waited for, and there are no invokes.
"""

import copy
import json
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.cluster.api import Api, NotFoundError, Object
from tests.cluster.standin import awaiting, kubernetes_diff, kubernetes_replacement
from tests.cluster.standin.provider import PartialFailure, StandIn, serve
from tests.cluster.standin.wire import Data, Difference, differences

MANAGER = "pulumi-kubernetes"
FORCE = "pulumi.com/patchForce"


class KubernetesStandIn(StandIn):
    version = "4.34.2"

    def configure(self, arguments: Data) -> None:
        self._api = Api(_kubeconfig_file(arguments["kubeconfig"]), arguments.get("context"))
        self._namespace = arguments.get("namespace", "default")
        self._mutable = {
            "ConfigMap": str(arguments.get("enableConfigMapMutable", "")).lower() == "true",
            "Secret": str(arguments.get("enableSecretMutable", "")).lower() == "true",
        }

    def check(self, inputs: Data) -> Data:
        return self._placed(inputs)

    def another_place(self, old: Data, new: Data) -> list[str]:
        return kubernetes_diff.another_cluster(old, new)

    def changes(self, old_inputs: Data, state: Data, new: Data, request: Any) -> Iterable[Difference]:
        namespaced = self._api.is_namespaced(new["apiVersion"], new["kind"])
        return kubernetes_diff.changes(old_inputs, state, new, namespaced=namespaced, ignored=request.ignoreChanges)

    def replaces(self, found: Difference, new: Data, resource_type: str) -> bool:
        return kubernetes_replacement.replaces(found, new, mutable_data=self._mutable)

    def same_name(self, old: Data, new: Data) -> bool:
        return all(old["metadata"].get(key) == new["metadata"].get(key) for key in ("name", "namespace"))

    def create(self, inputs: Data, request: Any) -> tuple[str, Data]:
        return self._apply(inputs, request.timeout)

    def update(self, resource_id: str, state: Data, inputs: Data, request: Any) -> Data:
        _, updated = self._apply(self._without_lost_fields(inputs, request.ignoreChanges), request.timeout, inputs)
        return updated

    def read(self, resource_id: str, inputs: Data, state: Data) -> tuple[Data, Data] | None:
        known = inputs or {key: value for key, value in state.items() if key != "status"}
        try:
            live = self._live(known)
        except NotFoundError:
            return None
        # What the server would make of the inputs as they are tells a real drift from another way of writing.
        expected = self._api.apply(self._placed(known), manager=MANAGER, force=True, dry_run=True)
        return _state(live), _with_drift(known, expected, live)

    def delete(self, resource_id: str, state: Data, timeout: float) -> None:
        version, kind, metadata = state["apiVersion"], state["kind"], state["metadata"]
        name, namespace = metadata["name"], metadata.get("namespace")
        try:
            self._api.delete(version, kind, name, namespace)
        except NotFoundError:
            return
        self._api.until(
            version, kind, lambda found: name not in found,
            namespace=namespace, timeout=timeout or awaiting.DEFAULT_TIMEOUT,
        )  # fmt: skip

    def _apply(self, manifest: Object, timeout: float, inputs: Data | None = None) -> tuple[str, Data]:
        annotations = manifest["metadata"].get("annotations", {})
        applied = self._api.apply(self._placed(manifest), manager=MANAGER, force=annotations.get(FORCE) == "true")
        metadata = applied["metadata"]
        resource_id = "/".join(filter(None, [metadata.get("namespace"), metadata["name"]]))
        try:
            awaiting.until_done(self._api, applied, timeout)
        except awaiting.Failed as error:
            raise PartialFailure(resource_id, _state(self._live(applied)), inputs or manifest, str(error)) from error
        return resource_id, _state(self._live(applied))

    def _placed(self, manifest: Object) -> Object:
        """The manifest in the provider's namespace, where it names none itself."""
        if not self._api.is_namespaced(manifest["apiVersion"], manifest["kind"]):
            return manifest
        return manifest | {"metadata": {"namespace": self._namespace} | manifest["metadata"]}

    def _live(self, manifest: Object) -> Object:
        metadata = self._placed(manifest)["metadata"]
        return self._api.get(manifest["apiVersion"], manifest["kind"], metadata["name"], metadata.get("namespace"))

    def _without_lost_fields(self, inputs: Data, ignored: Iterable[str]) -> Data:
        """The inputs less the ignored fields that somebody else has changed: applying those would be a conflict."""
        live, kept = self._live(inputs), copy.deepcopy(inputs)
        for path in ignored:
            keys = re.findall(r'\["([^"]+)"\]|([^.\[\]]+)', path)
            names = [quoted or plain for quoted, plain in keys]
            if _at(live, names) != _at(kept, names):
                parent = _at(kept, names[:-1])
                if isinstance(parent, dict):
                    parent.pop(names[-1], None)
        return kept


def _state(live: Object) -> Data:
    metadata = {key: value for key, value in live["metadata"].items() if key != "managedFields"}
    return live | {"metadata": metadata}


def _with_drift(inputs: Any, expected: Any, live: Any) -> Any:
    """The inputs, with the live value wherever that is not what the server makes of them."""
    if isinstance(inputs, dict) and isinstance(expected, dict) and isinstance(live, dict):
        return {
            key: _with_drift(value, expected.get(key), live.get(key)) for key, value in inputs.items()
            if key in live or key not in expected
        }  # fmt: skip
    if isinstance(inputs, list) and isinstance(live, list) and len(inputs) == len(live) == len(expected or []):
        return [_with_drift(*items) for items in zip(inputs, expected, live, strict=True)]
    return inputs if not list(differences(expected, live)) else live


def _at(value: Any, names: list[str]) -> Any:
    for name in names:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _kubeconfig_file(kubeconfig: str) -> Path:
    """The provider's `kubeconfig` argument is a path, or the contents themselves (as YAML or JSON)."""
    if "\n" not in kubeconfig and not kubeconfig.lstrip().startswith("{"):
        return Path(kubeconfig).expanduser()
    file = Path(tempfile.mkdtemp(prefix="slipform-stand-in-")) / "kubeconfig.yaml"
    file.write_text(kubeconfig if "\n" in kubeconfig else json.dumps(json.loads(kubeconfig)))
    file.chmod(0o600)
    return file


if __name__ == "__main__":
    serve(KubernetesStandIn())
