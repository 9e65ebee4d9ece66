"""The Kubernetes API as the tests use it: plain manifests in, plain objects out, through the official client."""

import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import kubernetes.dynamic
import urllib3
from kubernetes.dynamic.exceptions import ConflictError, DynamicApiError, NotFoundError, TooManyRequestsError

Object = dict[str, Any]
WATCH_SECONDS = 300.0
_kubernetes: Any = kubernetes  # its dynamic client has no types

__all__ = ["Api", "ConflictError", "DynamicApiError", "NotFoundError", "Object"]


class Api:
    """One cluster, reached as its kubeconfig says."""

    def __init__(self, kubeconfig: Path, context: str | None = None) -> None:
        client = _kubernetes.config.new_client_from_config(str(kubeconfig), context)
        kinds = kubeconfig.with_suffix(f".{os.getpid()}.kinds")
        self._client = _kubernetes.dynamic.DynamicClient(client, cache_file=str(kinds))
        self._kinds: dict[tuple[str, str], Any] = {}
        self._learning = threading.Lock()  # the client's discovery is not safe under threads

    def apply(
        self, manifest: Object, *, manager: str = "slipform-tests", force: bool = False, dry_run: bool = False
    ) -> Object:
        """Server-side apply with strict field validation, as `kubectl apply --server-side` does it.

        Raises:
            DynamicApiError: the server refuses it; `body` holds its reason.
        """
        query = [("fieldManager", manager), ("fieldValidation", "Strict")]
        query += [("force", "true")] * force + [("dryRun", "All")] * dry_run
        metadata = manifest["metadata"]
        return self._request(
            "patch", self._path(manifest["apiVersion"], manifest["kind"], metadata.get("namespace"), metadata["name"]),
            manifest, query, "application/apply-patch+yaml",
        )  # fmt: skip

    def create(self, manifest: Object) -> Object:
        path = self._path(manifest["apiVersion"], manifest["kind"], manifest["metadata"].get("namespace"))
        return self._request("post", path, manifest, [("fieldValidation", "Strict")])

    def get(self, version: str, kind: str, name: str, namespace: str | None = None) -> Object:
        return self._request("get", self._path(version, kind, namespace, name))

    def list(self, version: str, kind: str, namespace: str | None = None, labels: str = "") -> list[Object]:
        """The objects of one kind, in one namespace or in all; `labels` is a label selector."""
        items: list[Object] = self._list(version, kind, namespace, labels)["items"]
        return items

    def patch(
        self, version: str, kind: str, name: str, namespace: str | None, patch: Object, subresource: str = ""
    ) -> Object:
        """A JSON merge patch, on the object or on a subresource such as "status"."""
        path = self._path(version, kind, namespace, name) + (f"/{subresource}" if subresource else "")
        return self._request("patch", path, patch, [], "application/merge-patch+json")

    def delete(
        self, version: str, kind: str, name: str, namespace: str | None = None, grace: int | None = None
    ) -> None:
        query = [("propagationPolicy", "Background")]
        query += [("gracePeriodSeconds", str(grace))] if grace is not None else []
        self._request("delete", self._path(version, kind, namespace, name), None, query)

    def evict(self, pod: str, namespace: str) -> bool:
        """Asks for a pod's eviction, as `kubectl drain` does; False where a disruption budget forbids it now."""
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace}}
        try:
            self._request("post", self._path("v1", "Pod", namespace, pod) + "/eviction", eviction)
        except TooManyRequestsError:
            return False
        return True

    def token(self, service_account: str, namespace: str) -> str:
        """A token of a service account, as a pod of it would have."""
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        path = f"{self._path('v1', 'ServiceAccount', namespace, service_account)}/token"
        token: str = self._request("post", path, request)["status"]["token"]
        return token

    def until(
        self, version: str, kind: str, holds: Callable[[dict[str, Object]], bool], *,
        namespace: str | None = None, labels: str = "", timeout: float = 60.0,
    ) -> dict[str, Object]:  # fmt: skip
        """Watches the objects of one kind until `holds` is true of them, given by name; returns them.

        Raises:
            TimeoutError: with the objects' last state.
        """
        objects: dict[str, Object] = {}
        for found in self.follow(version, kind, namespace=namespace, labels=labels, timeout=timeout):
            objects = {item["metadata"]["name"]: item for item in found}
            if holds(objects):
                return objects
        states = {name: item.get("status") for name, item in objects.items()}
        raise TimeoutError(f"{kind} in {namespace or 'all namespaces'} after {timeout:.0f} s: {states}")

    def follow(
        self, version: str, kind: str, *,
        namespace: str | None = None, labels: str = "", fields: str = "", timeout: float | None = None,
    ) -> Iterator[Sequence[Object]]:  # fmt: skip
        """The objects of one kind as they are, and again after each change: for ever, or for so many seconds."""
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            listed = self._list(version, kind, namespace, labels, fields)
            objects: dict[str, Object] = {item["metadata"]["uid"]: item for item in listed["items"]}
            yield list(objects.values())
            events = _kubernetes.watch.Watch().stream(
                self._resource(version, kind).get, namespace=namespace, label_selector=labels, field_selector=fields,
                serialize=False, resource_version=listed["metadata"]["resourceVersion"],
                timeout_seconds=max(1, round(min(left, WATCH_SECONDS))),
            )  # fmt: skip
            try:
                for event in events:
                    changed = event["raw_object"]
                    if event["type"] == "DELETED":
                        objects.pop(changed["metadata"]["uid"], None)
                    else:
                        objects[changed["metadata"]["uid"]] = changed
                    yield list(objects.values())
            except (_kubernetes.client.ApiException, urllib3.exceptions.HTTPError):
                continue  # too old a version, or a connection that broke: listed again

    def raw(self, path: str) -> Object:
        """The answer to a GET of any path, such as that of a metrics API."""
        return self._request("get", path)

    def is_namespaced(self, version: str, kind: str) -> bool:
        return bool(self._resource(version, kind).namespaced)

    def forget_kinds(self) -> None:
        """Looks again at which kinds the server has; needed after CustomResourceDefinitions are added."""
        with self._learning:
            self._kinds.clear()
            self._client.resources.invalidate_cache()

    def _list(self, version: str, kind: str, namespace: str | None, labels: str, fields: str = "") -> Object:
        query = [("labelSelector", labels)] * bool(labels) + [("fieldSelector", fields)] * bool(fields)
        return self._request("get", self._path(version, kind, namespace), None, query)

    def _resource(self, version: str, kind: str) -> Any:
        with self._learning:
            if (version, kind) not in self._kinds:
                self._kinds[version, kind] = self._client.resources.get(api_version=version, kind=kind)
            return self._kinds[version, kind]

    def _path(self, version: str, kind: str, namespace: str | None = None, name: str | None = None) -> str:
        resource = self._resource(version, kind)
        if resource.namespaced and namespace is None and name is not None:
            namespace = "default"
        path: str = resource.path(name=name, namespace=namespace if resource.namespaced else None)
        return path

    def _request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None,
        query: Sequence[tuple[str, str]] = (), content_type: str | None = None,
    ) -> Object:  # fmt: skip
        answer: Object = self._client.request(
            method, path, body, query_params=list(query), content_type=content_type,
            serializer=lambda _, decoded: decoded,
        )  # fmt: skip
        return answer
