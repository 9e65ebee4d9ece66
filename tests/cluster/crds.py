"""The CustomResourceDefinitions of everything that Slipform may write to."""

import json
from concurrent.futures import ThreadPoolExecutor

from tests.cluster import tools
from tests.cluster.api import Api, Object

VERSION, KIND = "apiextensions.k8s.io/v1", "CustomResourceDefinition"

# A kind whose definition no package registry has. It is accepted whatever it holds, so the tests say nothing of it.
UNCHECKED = "EC2NodeClass"
_ANYTHING: Object = {
    "apiVersion": VERSION, "kind": KIND, "metadata": {"name": "ec2nodeclasses.karpenter.k8s.aws"},
    "spec": {
        "group": "karpenter.k8s.aws", "scope": "Cluster",
        "names": {"kind": UNCHECKED, "plural": "ec2nodeclasses", "singular": "ec2nodeclass"},
        "versions": [{
            "name": "v1", "served": True, "storage": True,
            "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
        }],
    },
}  # fmt: skip


def install(api: Api) -> list[str]:
    """Installs all of them and waits until each is served; returns their names."""
    definitions = [definition for recipe in tools.CRDS for definition in _definitions(recipe.name)]
    definitions.append(_ANYTHING)
    names = [definition["metadata"]["name"] for definition in definitions]
    api.list(VERSION, KIND)  # learns the kind once, before the threads ask for it
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(api.create, definitions))
    api.until(VERSION, KIND, lambda found: all(_is_established(found.get(name, {})) for name in names))
    api.forget_kinds()
    return names


def _definitions(file: str) -> list[Object]:
    definitions: list[Object] = json.loads(tools.ensure(file).read_text())
    return definitions


def _is_established(definition: Object) -> bool:
    conditions = definition.get("status", {}).get("conditions") or []
    return any(found["type"] == "Established" and found["status"] == "True" for found in conditions)
