"""What a mesh makes of the generated VirtualServices and DestinationRules: which pods a request may go to.

Of Istio's rules, those that the load's requests meet: the first route that matches by port and path, a delegate's in
its place, a destination drawn by its weight, and the labels of its subset.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

from tests.cluster.api import Api, Object
from tests.cluster.following import following

NETWORKING, KINDS = "networking.istio.io/v1", ("VirtualService", "DestinationRule")


class Mesh:
    """The routes of one namespace, as its sidecars know them."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[str, Object]] = {}

    def take(self, kind: str, found: Sequence[Object]) -> None:
        self._objects[kind] = {each["metadata"]["name"]: each["spec"] for each in found}

    @property
    def knows(self) -> bool:
        return self._objects.keys() == set(KINDS)

    def chosen(self, host: str, port: int, path: str) -> Object:
        """The labels of the pods that this request goes to; those of the whole Service where no route takes it."""
        split = self.split(host, port, path)
        if not split:
            return {}
        (drawn,) = random.choices([labels for labels, _ in split], [weight for _, weight in split])
        return drawn

    def split(self, host: str, port: int, path: str) -> list[tuple[Object, int]]:
        """The labels of the pods that such requests go to, each with its weight; empty where no route takes them."""
        services = self._objects["VirtualService"]
        owner = next((each for each in services.values() if host in each.get("hosts", [])), None)
        route = _first(owner["http"], port, path) if owner else None
        if route and "delegate" in route:
            route = _first(services[route["delegate"]["name"]]["http"], port, path)
        destinations = route["route"] if route else []
        return [(self._labels(each["destination"]), each.get("weight", 100)) for each in destinations]

    def _labels(self, destination: Object) -> Object:
        if "subset" not in destination:
            return {}
        rules = self._objects["DestinationRule"].values()
        subsets = [subset for rule in rules if rule["host"] == destination["host"] for subset in rule["subsets"]]
        labels: Object = next(each["labels"] for each in subsets if each["name"] == destination["subset"])
        return labels


@contextmanager
def told(api: Api, namespace: str, mesh: Mesh, later: Callable[[Callable[[], None]], object]) -> Iterator[None]:
    """Tells a mesh, for the time of a block, of each change to its routes, when `later` says."""
    with ExitStack() as both:
        for kind in KINDS:

            def tell(found: Sequence[Object], kind: str = kind) -> None:
                later(partial(mesh.take, kind, found))

            both.enter_context(following(api, NETWORKING, kind, tell, namespace=namespace))
        yield


def _first(routes: Sequence[Object], port: int, path: str) -> Object | None:
    return next((each for each in routes if any(_takes(match, port, path) for match in each.get("match", [{}]))), None)


def _takes(match: Object, port: int, path: str) -> bool:
    uri = match.get("uri", {})
    return (
        "headers" not in match
        and match.get("port", port) == port
        and path.startswith(uri.get("prefix", ""))
        and uri.get("exact", path) == path
    )
