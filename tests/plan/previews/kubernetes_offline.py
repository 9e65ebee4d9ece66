"""A plugin for the engine that stands in for pulumi-kubernetes and talks to no cluster: enough for previews."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.cluster.standin.kubernetes import KubernetesStandIn
from tests.cluster.standin.provider import serve
from tests.cluster.standin.wire import Data, Difference, differences


class Offline(KubernetesStandIn):
    def configure(self, arguments: Data) -> None:
        self._mutable = {"ConfigMap": False, "Secret": False}

    def check(self, inputs: Data) -> Data:
        return inputs

    def changes(self, old_inputs: Data, state: Data, new: Data, request: Any) -> Iterable[Difference]:
        return differences(old_inputs, new)

    def same_name(self, old: Data, new: Data) -> bool:
        return "name" in new["metadata"] and super().same_name(old, new)

    def create(self, inputs: Data, request: Any) -> tuple[str, Data]:
        metadata = {"name": f"{request.name}-1a2b3c4d", **inputs["metadata"]}
        return request.name, {**inputs, "metadata": metadata}

    def read(self, resource_id: str, inputs: Data, state: Data) -> tuple[Data, Data] | None:
        return state, inputs

    def update(self, resource_id: str, state: Data, inputs: Data, request: Any) -> Data:
        return inputs

    def delete(self, resource_id: str, state: Data, timeout: float) -> None: ...


if __name__ == "__main__":
    serve(Offline())
