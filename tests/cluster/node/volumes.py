"""A pod's volumes as folders: ConfigMaps, Secrets, what is projected from them, and empty ones."""

import base64
from collections.abc import Iterator
from pathlib import Path

from tests.cluster.api import Api, NotFoundError, Object
from tests.cluster.node.paths import Paths

EMPTY = "emptyDir"
KINDS = {"configMap": "ConfigMap", "secret": "Secret"}


class NotYetThere(Exception):
    """A volume's or the environment's source does not exist; a kubelet waits for it."""


class Unsupported(Exception):
    """A part of a pod that this node cannot do; the message names it."""


def check(pod: Object) -> None:
    """Raises Unsupported where a volume or a mount is of a kind that this node does not have."""
    for volume in pod["spec"].get("volumes", []):
        for source in volume["projected"]["sources"] if "projected" in volume else [volume]:
            if not {EMPTY, *KINDS, "downwardAPI"} & source.keys():
                raise Unsupported(f"volume {volume['name']}: {', '.join(source.keys() - {'name'})}")
    for container in pod["spec"].get("initContainers", []) + pod["spec"]["containers"]:
        for mount in container.get("volumeMounts", []):
            if "subPath" in mount or "subPathExpr" in mount:
                raise Unsupported(f"container {container['name']}: the subPath of {mount['name']}")


def mount(api: Api, pod: Object, container: Object, paths: Paths, shared: Path) -> None:
    """Lays a container's volumes out under its root; the empty ones are in `shared`, since all containers see them."""
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes", [])}
    for wanted in container.get("volumeMounts", []):
        place, volume = paths.here(wanted["mountPath"]), volumes[wanted["name"]]
        place.parent.mkdir(parents=True, exist_ok=True)
        if EMPTY in volume:
            folder = shared / volume["name"]
            folder.mkdir(parents=True, exist_ok=True)
            if not place.is_symlink():
                place.symlink_to(folder)
            continue
        place.mkdir(exist_ok=True)
        for name, content in _files(api, pod, volume):
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(_rewritten(content, paths))


def contents(api: Api, kind: str, name: str, namespace: str) -> dict[str, bytes]:
    """What a ConfigMap or a Secret holds."""
    try:
        found = api.get("v1", kind, name, namespace)
    except NotFoundError as error:
        raise NotYetThere(f'{kind.lower()} "{name}" not found') from error
    encoded = found.get("binaryData" if kind == "ConfigMap" else "data") or {}
    plain = found.get("data") or {} if kind == "ConfigMap" else {}
    return {key: base64.b64decode(value) for key, value in encoded.items()} | {
        key: value.encode() for key, value in plain.items()
    }


def field(pod: Object, path: str) -> str:
    """A pod's field by the path that the downward API has for it, such as metadata.labels['app'] or status.podIP."""
    name, _, key = path.partition("['")
    value = pod
    for part in name.split("."):
        value = value.get(part, {})
    return str(value.get(key.removesuffix("']"), "") if key else value)


def _files(api: Api, pod: Object, volume: Object) -> Iterator[tuple[str, bytes]]:
    sources = volume["projected"]["sources"] if "projected" in volume else [volume]
    for source in sources:
        for item in source.get("downwardAPI", {}).get("items", []):
            yield item["path"], field(pod, item["fieldRef"]["fieldPath"]).encode()
        for key, kind in KINDS.items():
            if key in source:
                yield from _chosen(api, kind, source[key], pod["metadata"]["namespace"])


def _chosen(api: Api, kind: str, source: Object, namespace: str) -> Iterator[tuple[str, bytes]]:
    name = source.get("secretName") or source["name"]
    found = contents(api, kind, name, namespace)
    if "items" not in source:
        yield from found.items()
    for item in source.get("items", []):
        if item["key"] not in found:
            raise NotYetThere(f'{kind.lower()} "{name}" has no key {item["key"]}')
        yield item["path"], found[item["key"]]


def _rewritten(content: bytes, paths: Paths) -> bytes:
    try:
        return paths.rewritten(content.decode()).encode()
    except UnicodeDecodeError:
        return content  # a model, not a text that names paths
