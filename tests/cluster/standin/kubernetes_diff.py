"""What pulumi-kubernetes takes for a change: after `Diff` and `DiffConfig` in its provider/provider.go (v4).

It compares the new inputs not with the old ones but with the live object of the last operation, pruned to the shape
of the old inputs: what the server or a controller changed since, and the state knows of, counts as a change too.
Nothing here is taken from Slipform, which foretells the same by other means.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from kubernetes.utils import quantity
from tests.cluster.standin.wire import Data, Difference, differences

# Their types are known to the plugin, which writes both sides in the server's own way before it compares them.
BUILT_IN = ("v1", "apps/", "autoscaling/", "batch/", "networking.k8s.io/", "policy/", "rbac.authorization.k8s.io/")

QUANTITY = re.compile(r"\.(requests|limits)\W.*|\.(sizeLimit|averageValue|divisor)$|\.target\.value$")

IN_A_MAP = re.compile(
    r"\]$|\.?(labels|annotations|matchLabels|nodeSelector|data|binaryData|stringData)(\.[^.]+|\[.*\])$"
)
_amount: Any = quantity.parse_quantity  # without types


def changes(
    old_inputs: Data, live: Data, new: Data, *, namespaced: bool, ignored: Iterable[str] = ()
) -> list[Difference]:
    """Where an object's new inputs differ from what is there, less what the program says to ignore."""
    pruned = _prune(live, old_inputs)
    if namespaced:
        new = _in_default_namespace(new)
        pruned = _in_default_namespace(pruned)
    built_in = new["apiVersion"].startswith(BUILT_IN)
    return [
        found
        for found in differences(pruned, new)
        if not any(_is_below(found.path, path) for path in ignored) and not (built_in and _is_same_to_the_server(found))
    ]


def another_cluster(old: Data, new: Data) -> list[str]:
    """The provider's settings for whose change all that it made is replaced."""
    changed = {key for key in {*old, *new} if old.get(key) != new.get(key)}
    identifiers = old.get("clusterIdentifier"), new.get("clusterIdentifier")
    if identifiers[1] and identifiers[0] == identifiers[1]:
        return []
    replacing = {"renderYamlToDirectory"} & changed
    if all(identifiers) and identifiers[0] != identifiers[1]:
        replacing.add("clusterIdentifier")
    clusters = _active_cluster(old), _active_cluster(new)
    if all(clusters) and clusters[0] != clusters[1]:
        replacing |= {"kubeconfig", "context", "cluster"} & changed
    return sorted(replacing)


def _active_cluster(arguments: Data) -> Any:
    """The settings of the cluster in the kubeconfig; None where the provider names no kubeconfig of its own."""
    kubeconfig = arguments.get("kubeconfig")
    if not kubeconfig:
        return None
    text = kubeconfig
    if "\n" not in kubeconfig and not kubeconfig.lstrip().startswith("{"):
        with open(kubeconfig) as file:  # noqa: PTH123
            text = file.read()
    config = yaml.safe_load(text)
    context = arguments.get("context") or config.get("current-context")
    contexts = {each["name"]: each["context"]["cluster"] for each in config.get("contexts") or ()}
    clusters = {each["name"]: each["cluster"] for each in config.get("clusters") or ()}
    return clusters.get(arguments.get("cluster") or contexts.get(context))


def _prune(live: Any, shape: Any) -> Any:
    """The parts of `live` that `shape` has too; lists are matched by position."""
    if isinstance(live, Mapping) and isinstance(shape, Mapping):
        return {key: _prune(value, shape[key]) for key, value in live.items() if key in shape}
    if isinstance(live, list) and isinstance(shape, list) and live and shape and type(live[0]) is type(shape[0]):
        return [_prune(*pair) for pair in zip(live, shape, strict=False)]
    return live


def _in_default_namespace(manifest: Data) -> Data:
    namespace = manifest["metadata"].get("namespace") or "default"
    return manifest | {"metadata": {**manifest["metadata"], "namespace": namespace}}


def _is_below(path: str, ignored: str) -> bool:
    pattern = re.escape(ignored).replace(r"\[\*\]", r"\[\d+\]").replace(r"\*", r"[^.\[]+")
    return re.match(pattern + r"($|[.\[])", path) is not None


def _is_same_to_the_server(found: Difference) -> bool:
    """Empty and absent are one to the typed object, but for a map's values; so are two spellings of one quantity."""
    if found.kind == "add":
        return found.new in ({}, [], "", None) and not IN_A_MAP.search(found.path)
    return bool(QUANTITY.search(found.path)) and _amount(found.old) == _amount(found.new)
