"""Looks at a cluster, by the official client. Only reads, and asks what the user may do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..spec.findings import SlipformError
from ..spec.stack import Cluster
from .seen import ApiService, Node, Permission, Prometheus, Seen, Workload

METRICS_APIS = ("metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io")
_OWN_GROUPS = ("apps", "batch", "autoscaling", "policy", "networking.k8s.io")
_TIMEOUT_SECONDS = (5, 30)
_AT_ONCE = 8


class Looking:
    """One cluster, looked at as the user of its kubeconfig.

    Raises SlipformError where the cluster can't be reached or does not know the user, and ImportError where the
    client is not installed.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._namespace = cluster.namespace
        self._client = _Client(cluster)
        self._kinds: dict[str, dict[str, str]] = {}

    def see(self, groups: Iterable[str]) -> Seen:
        """The kinds of these API groups, who serves metrics, nodes, workloads."""
        client = self._client
        version = str(client.must("/version")["gitVersion"])
        served = [
            f"{group['name']}/{each['version']}"
            for group in client.must("/apis")["groups"]
            for each in group["versions"]
        ]
        wanted = {*groups, *_OWN_GROUPS}
        paths = {each: f"/apis/{each}" for each in served if each.partition("/")[0] in wanted}
        answers = client.all({"v1": "/api/v1", **paths})
        self._kinds = {each: _kinds(answer) for each, answer in answers.items() if answer is not None}
        answers = client.all(
            {
                "nodes": "/api/v1/nodes",
                "deployments": "/apis/apps/v1/deployments",
                "daemonsets": "/apis/apps/v1/daemonsets",
                "services": "/apis/apiregistration.k8s.io/v1/apiservices",
                "prometheuses": "/apis/monitoring.coreos.com/v1/prometheuses",
            }
        )
        return Seen(
            version=version,
            kinds=self._kinds,
            api_services=self._api_services(answers["services"], served),
            namespace_exists=client.exists(f"/api/v1/namespaces/{self._namespace}"),
            nodes=_each(answers["nodes"], _node),
            workloads=_workloads(answers["deployments"], answers["daemonsets"]),
            prometheuses=_each(answers["prometheuses"], _prometheus),
        )

    def refused(self, permissions: Iterable[Permission]) -> frozenset[Permission]:
        """Those that the user lacks, of kinds that the cluster has; after ``see``."""
        asked = [each for each in permissions if each.kind in self._kinds.get(each.api_version, {})]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            allowed = list(pool.map(self._may, asked))
        return frozenset(each for each, may in zip(asked, allowed, strict=True) if not may)

    def _may(self, permission: Permission) -> bool:
        attributes = {
            "group": permission.api_version.rpartition("/")[0],
            "resource": self._kinds[permission.api_version][permission.kind],
            "verb": permission.verb,
            "namespace": permission.namespace,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
        }
        answer = self._client.ask("post", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
        return bool(answer["status"]["allowed"])

    def _api_services(self, listed: Mapping[str, Any] | None, served: Iterable[str]) -> dict[str, ApiService]:
        if listed is None:  # not to be seen: those that answer are there
            asked = {each: f"/apis/{each}" for each in served if each.partition("/")[0] in METRICS_APIS}
            answers = self._client.all(asked)
            return {each.partition("/")[0]: ApiService(answers[each] is not None) for each in asked}
        found = {}
        for item in listed["items"]:
            service = item["spec"].get("service")
            if item["spec"].get("group") not in METRICS_APIS or service is None:
                continue
            conditions = item.get("status", {}).get("conditions") or []
            state: dict[str, Any] = next((each for each in conditions if each["type"] == "Available"), {})
            found[item["spec"]["group"]] = ApiService(
                state.get("status") == "True", f"{service['namespace']}/{service['name']}", state.get("message", "")
            )
        return found


class _Client:
    """GET requests to one cluster, which answer None for what the user may not see."""

    def __init__(self, cluster: Cluster) -> None:
        import kubernetes.dynamic
        from kubernetes.dynamic import exceptions

        library: Any = kubernetes  # its config and its dynamic client have no types
        self._errors = exceptions
        kubeconfig = str(Path(cluster.kubeconfig).expanduser()) if cluster.kubeconfig else None
        self._called = f"context {cluster.context}" if cluster.context else f"{cluster.kubeconfig}"
        settings = library.client.Configuration()
        try:
            library.config.load_kube_config(kubeconfig, cluster.context, settings, persist_config=False)
        except library.config.ConfigException as problem:
            raise SlipformError(f"the kubeconfig gives no cluster for {self._called}: {problem}") from None
        settings.retries = False
        # Without a discoverer of its own it would first list everything that the cluster serves.
        self._dynamic = library.dynamic.DynamicClient(library.client.ApiClient(settings), discoverer=lambda *_: None)

    def must(self, path: str) -> dict[str, Any]:
        """The answer. Raises SlipformError where there is none."""
        answer = self._get(path)
        if answer is None:
            raise SlipformError(f"the cluster of {self._called} does not let you see {path}: `kubectl auth whoami`")
        return answer

    def all(self, paths: Mapping[str, str]) -> dict[str, dict[str, Any] | None]:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return dict(zip(paths, pool.map(self._get, paths.values()), strict=True))

    def exists(self, path: str) -> bool | None:
        try:
            self.ask("get", path)
        except self._errors.NotFoundError:
            return False
        except self._errors.ForbiddenError:
            return None
        return True

    def _get(self, path: str) -> dict[str, Any] | None:
        try:
            return self.ask("get", path)
        except (self._errors.ForbiddenError, self._errors.NotFoundError, self._errors.ServiceUnavailableError):
            return None

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The answer. Raises the client's own errors where the cluster refuses, SlipformError where it is away."""
        import urllib3

        try:
            answer: dict[str, Any] = self._dynamic.request(
                method, path, body, serializer=lambda _, decoded: decoded, _request_timeout=_TIMEOUT_SECONDS
            )
            return answer
        except self._errors.UnauthorizedError:
            raise SlipformError(f"the cluster of {self._called} does not know you (401); log in again") from None
        except (self._errors.ForbiddenError, self._errors.NotFoundError, self._errors.ServiceUnavailableError):
            raise
        except self._errors.DynamicApiError as problem:
            raise SlipformError(f"the cluster of {self._called} answers {path} with {problem.status}") from None
        except urllib3.exceptions.HTTPError as problem:
            reason = getattr(problem, "reason", None) or problem
            raise SlipformError(f"the cluster of {self._called} could not be reached: {reason}") from None


def _kinds(answer: Mapping[str, Any]) -> dict[str, str]:
    return {each["kind"]: each["name"] for each in answer["resources"] if "/" not in each["name"]}


def _each(answer: Mapping[str, Any] | None, make: Any) -> Any:
    return None if answer is None else tuple(make(item) for item in answer["items"])


def _node(item: Mapping[str, Any]) -> Node:
    given = item.get("status", {}).get("allocatable", {})
    return Node(item["metadata"]["name"], item["metadata"].get("labels", {}), int(given.get("nvidia.com/gpu", "0")))


def _prometheus(item: Mapping[str, Any]) -> Prometheus:
    name = f"{item['metadata']['namespace']}/{item['metadata']['name']}"
    rules, monitors = (
        (item["spec"].get(selector) or {}).get("matchLabels", {})
        for selector in ("ruleSelector", "serviceMonitorSelector")
    )
    return Prometheus(name, rules, monitors)


def _workloads(*answers: Mapping[str, Any] | None) -> tuple[Workload, ...] | None:
    if any(answer is None for answer in answers):
        return None
    made = []
    for kind, answer in zip(("Deployment", "DaemonSet"), answers, strict=True):
        for item in (answer or {})["items"]:
            containers = item["spec"]["template"]["spec"]["containers"]
            images = tuple(repository(each.get("image", "")) for each in containers)
            arguments = tuple(text for each in containers for text in (*each.get("command", ()), *each.get("args", ())))
            made.append(Workload(kind, item["metadata"]["namespace"], item["metadata"]["name"], images, arguments))
    return tuple(made)


def repository(image: str) -> str:
    """``nvcr.io/nvidia/k8s-device-plugin:v0.17@sha256:…`` is ``nvidia/k8s-device-plugin``."""
    name = image.partition("@")[0]
    name = name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name
    first, slash, rest = name.partition("/")
    return rest if slash and ("." in first or ":" in first or first == "localhost") else name
