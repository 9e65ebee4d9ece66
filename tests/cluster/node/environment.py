"""A container's environment: its own variables, those of ConfigMaps and Secrets, and the pod's fields; none of ours."""

import os
from pathlib import Path

from tests.cluster.api import Api, Object
from tests.cluster.node.image import ADDRESS
from tests.cluster.node.paths import Paths
from tests.cluster.node.volumes import Unsupported, contents, field

KEYS = {"configMapKeyRef": "ConfigMap", "secretKeyRef": "Secret"}


def check(pod: Object) -> None:
    """Raises Unsupported where a variable's value comes from what this node does not know."""
    for container in pod["spec"].get("initContainers", []) + pod["spec"]["containers"]:
        for variable in container.get("env", []):
            if unknown := variable.get("valueFrom", {}).keys() - {"fieldRef", *KEYS}:
                raise Unsupported(f"variable {variable['name']}: {', '.join(unknown)}")


def environment(api: Api, pod: Object, container: Object, paths: Paths, programs: Path) -> dict[str, str]:
    """The variables of a container's process. `programs` is the folder of what its image would have."""
    namespace = pod["metadata"]["namespace"]
    made = {
        "PATH": f"{programs}:{os.defpath}",
        "HOME": str(paths.root),
        "HOSTNAME": pod["metadata"]["name"],
        ADDRESS: field(pod, "status.podIP"),
    }
    if any(mount["mountPath"] == "/tmp" for mount in container.get("volumeMounts", [])):
        made["TMPDIR"] = str(paths.here("/tmp"))
    for source in container.get("envFrom", []):
        for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if key in source:
                found = contents(api, kind, source[key]["name"], namespace)
                made |= {source.get("prefix", "") + name: value.decode() for name, value in found.items()}
    for variable in container.get("env", []):
        made[variable["name"]] = paths.rewritten(_value(api, pod, variable, namespace))
    return made


def _value(api: Api, pod: Object, variable: Object, namespace: str) -> str:
    source = variable.get("valueFrom")
    if source is None:
        return str(variable.get("value", ""))
    if "fieldRef" in source:
        return field(pod, source["fieldRef"]["fieldPath"])
    key, kind = next((key, kind) for key, kind in KEYS.items() if key in source)
    return contents(api, kind, source[key]["name"], namespace)[source[key]["key"]].decode()
