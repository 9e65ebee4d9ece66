"""The closed loop of scaling: load, the runtime's own metrics, Prometheus, a metrics API, the autoscaler, more pods.

The same model is scaled twice, side by side: by the HorizontalPodAutoscaler through prometheus-adapter, and by KEDA.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from tests.cluster.api import Api, Object
from tests.cluster.load import Load, load
from tests.cluster.metrics_apis import keda, prometheus_adapter
from tests.cluster.model import LABELS, Model, own_namespace
from tests.cluster.monitoring import Prometheus, prometheus
from tests.cluster.node.running import real_node
from tests.cluster.plane import Plane
from tests.cluster.replicas import Replicas, recorded

Controller = Literal["hpa", "keda"]
HAS: dict[Controller, tuple[str, ...]] = {
    "hpa": ("prometheus-operator", "prometheus-adapter"),
    "keda": ("prometheus-operator", "keda"),
}
HPA = ("autoscaling/v2", "HorizontalPodAutoscaler")
EXECUTION_SECONDS = 0.1
"""Of one request, which is a batch of its own: so a replica executes ten a second."""


@dataclass(frozen=True)
class Loop:
    """One model, its load, and what its autoscaler does."""

    api: Api
    model: Model
    clients: Load
    replicas: Replicas
    prometheus: Prometheus

    def autoscaler(self) -> Object:
        """The HorizontalPodAutoscaler, by whomever it was made."""
        name, namespace = self.model.name, self.model.namespace
        return self.api.get(*HPA, name, namespace)

    def until_says(self, of: tuple[str, str], kind: str, *, holds: bool) -> None:
        """Waits until the object of this model of a version and kind has a condition, or says that it has not."""
        name, namespace = self.model.name, self.model.namespace
        self.api.until(
            *of, lambda found: name in found and condition(found[name], kind) is holds, namespace=namespace, timeout=120
        )

    def queue(self, begin: float, end: float) -> list[float]:
        """The requests that waited, of all replicas together, second by second."""
        found = self.prometheus.values(f'sum(inference_queue_length{{model="{self.model.name}"}})', begin, end)
        return [value for _, value in found]

    def busy(self, at: float) -> float:
        """Instances that executed, of all replicas together, in the 20 seconds before."""
        query = f'sum(rate(model_busy_seconds_total{{model="{self.model.name}"}}[20s]))'
        return self.prometheus.values(query, at, at)[0][1]


class Stage:
    """The loops, and what all of them depend on."""

    def __init__(self, plane: Plane, namespace: str, folder: Path, prometheus: Prometheus) -> None:
        self.prometheus = prometheus
        self.loops: dict[Controller, Loop] = {}
        self._plane, self._namespace, self._folder = plane, namespace, folder
        self._adapter = ExitStack()

    def start_adapter(self, *, without: str = "") -> None:
        """prometheus-adapter with the generated rules, or with all of them but one metric's."""
        self._adapter.close()
        text = self._plane.api.get("v1", "ConfigMap", "slipform-adapter-rules-fastapi", self._namespace)["data"]
        rules = [rule for rule in yaml.safe_load(text["rules.yaml"])["rules"] if rule["name"]["as"] != without]
        adapter = prometheus_adapter(
            self._plane, yaml.safe_dump({"rules": rules}), self.prometheus.address, self._folder / "adapter"
        )
        self._adapter.enter_context(adapter)

    def close(self) -> None:
        self._adapter.close()


@contextmanager
def stage(
    plane: Plane,
    namespace: str,
    folder: Path,
    controllers: Sequence[Controller],
    scaling: Mapping[str, Any],
    rate: float,
) -> Iterator[Stage]:
    """A loop for each controller, its model ready and under this load; `scaling` is merged into the specs."""
    api = plane.api
    with ExitStack() as stack:
        stack.enter_context(own_namespace(api, namespace))
        stack.enter_context(real_node(plane, "real-0", folder, LABELS))
        scraper = stack.enter_context(prometheus(api, namespace, folder / "prometheus"))
        made = Stage(plane, namespace, folder, scraper)
        stack.callback(made.close)
        models = {
            controller: _model(folder, plane, namespace, controller, scraper.address, scaling)
            for controller in controllers
        }
        for model in models.values():
            model.apply()
        scraper.start()
        if "hpa" in controllers:
            made.start_adapter()
        if "keda" in controllers:
            stack.enter_context(keda(plane, namespace, folder / "keda"))
        for controller, model in models.items():
            model.until_rolled_out()
            clients = stack.enter_context(load(api, model, rate))
            made.loops[controller] = Loop(api, model, clients, stack.enter_context(recorded(api, model)), scraper)
        for loop in made.loops.values():
            loop.until_says(HPA, "ScalingActive", holds=True)
        yield made


def condition(found: Object, kind: str) -> bool | None:
    """Whether a condition of an object holds; None where it is not known."""
    conditions = found.get("status", {}).get("conditions") or []
    status = next((each["status"] for each in conditions if each["type"] == kind), None)
    return {"True": True, "False": False}.get(status or "")


def _model(
    folder: Path, plane: Plane, namespace: str, controller: Controller, address: str, scaling: Mapping[str, Any]
) -> Model:
    return Model(
        folder, plane, namespace, f"by-{controller}", has=HAS[controller], prometheus=address,
        scaling={"controller": controller, **scaling},
        serving={
            "env": {"EXECUTION_SECONDS": str(EXECUTION_SECONDS)},
            "batching": {"max_batch_size": 1, "max_queue_size": 4096, "max_queue_delay": "0ms"},
            "resources": {"cpu": "100m", "memory": "128Mi"},
        },
    )  # fmt: skip
