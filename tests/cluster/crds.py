"""The CustomResourceDefinitions of everything that Slipform may write to."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

from tests.cluster import tools
from tests.cluster.api import Api, ConflictError, Object

VERSION, KIND = "apiextensions.k8s.io/v1", "CustomResourceDefinition"


def install(api: Api) -> list[str]:
    """Installs those that are not there and waits until each is served; returns the names of all."""
    definitions = [definition for recipe in tools.CRDS for definition in _definitions(recipe.name)]
    names = [definition["metadata"]["name"] for definition in definitions]
    api.list(VERSION, KIND)  # learns the kind once, before the threads ask for it
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(partial(_create, api), definitions))
    api.until(VERSION, KIND, lambda found: all(_is_established(found.get(name, {})) for name in names), timeout=240)
    api.forget_kinds()
    return names


def _create(api: Api, definition: Object) -> None:
    with suppress(ConflictError):  # a cluster that was kept has them
        api.create(definition)


def _definitions(file: str) -> list[Object]:
    definitions: list[Object] = json.loads(tools.ensure(file).read_text())
    return definitions


def _is_established(definition: Object) -> bool:
    conditions = definition.get("status", {}).get("conditions") or []
    return any(found["type"] == "Established" and found["status"] == "True" for found in conditions)
