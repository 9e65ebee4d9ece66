"""A real Prometheus that scrapes what ServiceMonitors select, as the Prometheus operator would configure it."""

import json
import re
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from tests.cluster import processes, tools
from tests.cluster.api import Api, Object
from tests.cluster.following import following

MONITOR = ("monitoring.coreos.com/v1", "ServiceMonitor")
_START_TIMEOUT = 60.0


class Prometheus:
    """A server on a port of its own, which may be stopped and started again with what it has stored."""

    def __init__(self, api: Api, namespace: str, folder: Path) -> None:
        folder.mkdir()
        self._api, self._namespace, self._folder = api, namespace, folder
        self.address = f"http://127.0.0.1:{processes.free_port()}"
        self._program: subprocess.Popen[bytes] | None = None
        self._following = ExitStack()

    def start(self) -> None:
        """Starts with the ServiceMonitors that there are now; ready when it returns."""
        monitors = self._api.list(*MONITOR, self._namespace)
        config = self._folder / "prometheus.yaml"
        scrapes = [scrape_config(monitor, self._targets_file(monitor)) for monitor in monitors]
        config.write_text(yaml.safe_dump({"scrape_configs": scrapes}))
        if self._program is None:
            self._following.enter_context(
                following(self._api, "v1", "Pod", partial(self._write_targets, monitors), namespace=self._namespace)
            )
        self._program = processes.start(
            [
                tools.ensure("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={self._folder / 'data'}",
                f"--web.listen-address={self.address.removeprefix('http://')}", "--log.level=warn",
            ],
            self._folder / "prometheus.log",
        )  # fmt: skip
        processes.wait_until(self._is_ready, {"prometheus": self._program}, self._folder, _START_TIMEOUT)

    def stop(self) -> None:
        if self._program is not None:
            processes.stop(self._program)

    def close(self) -> None:
        self.stop()
        self._following.close()

    def values(self, query: str, begin: float, end: float) -> list[tuple[float, float]]:
        """The one series that a query gives over a time, second by second: (time, value)."""
        found = self._ask("query_range", query=query, start=begin, end=end, step=1)
        return [(at, float(value)) for at, value in found[0]["values"]] if found else []

    def _ask(self, what: str, **parameters: object) -> list[Any]:
        url = f"{self.address}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            result: list[Any] = json.load(answer)["data"]["result"]
        return result

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}/-/ready", timeout=5):
                return True
        except OSError:
            return False

    def _write_targets(self, monitors: Sequence[Object], pods: Sequence[Object]) -> None:
        services = self._api.list("v1", "Service", self._namespace)
        for monitor in monitors:
            file = self._targets_file(monitor)
            file.with_suffix(".new").write_text(json.dumps(targets(monitor, services, pods)))
            file.with_suffix(".new").rename(file)

    def _targets_file(self, monitor: Object) -> Path:
        return self._folder / f"{monitor['metadata']['name']}.json"


@contextmanager
def prometheus(api: Api, namespace: str, folder: Path) -> Iterator[Prometheus]:
    """Prometheus for one namespace, to be started when its ServiceMonitors are there."""
    made = Prometheus(api, namespace, folder)
    try:
        yield made
    finally:
        made.close()


def scrape_config(monitor: Object, targets_file: Path) -> Object:
    """A monitor's one endpoint; its relabelings are applied by Prometheus itself."""
    (endpoint,) = monitor["spec"]["endpoints"]
    return {
        "job_name": f"serviceMonitor/{monitor['metadata']['namespace']}/{monitor['metadata']['name']}/0",
        "metrics_path": endpoint["path"],
        "scrape_interval": endpoint["interval"],
        "scrape_timeout": endpoint["scrapeTimeout"],
        "file_sd_configs": [{"files": [str(targets_file)]}],
        "relabel_configs": [
            {re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), key): value for key, value in relabeling.items()}
            for relabeling in endpoint.get("relabelings", [])
        ],
    }


def targets(monitor: Object, services: Sequence[Object], pods: Sequence[Object]) -> list[Object]:
    """The pods behind the Services that a monitor selects, with the labels that the operator gives each target."""
    spec = monitor["spec"]
    (endpoint,) = spec["endpoints"]
    found = []
    for service in services:
        labels = service["metadata"].get("labels", {})
        if not _selects(spec["selector"]["matchLabels"], labels):
            continue
        port = next(port for port in service["spec"]["ports"] if port["name"] == endpoint["port"])
        for pod in pods:
            place = _port(pod, port["targetPort"])
            if place is None or not _selects(service["spec"]["selector"], pod["metadata"].get("labels", {})):
                continue
            container, number = place
            found.append({
                "targets": [f"{pod['status']['podIP']}:{number}"],
                "labels": {
                    "namespace": pod["metadata"]["namespace"], "pod": pod["metadata"]["name"], "container": container,
                    "service": service["metadata"]["name"], "endpoint": endpoint["port"],
                    "job": labels.get(spec["jobLabel"], service["metadata"]["name"]),
                    **{
                        re.sub(r"[^a-zA-Z0-9_]", "_", name): pod["metadata"]["labels"][name]
                        for name in spec.get("podTargetLabels", []) if name in pod["metadata"]["labels"]
                    },
                },
            })  # fmt: skip
    return found


def _port(pod: Object, target: str | int) -> tuple[str, int] | None:
    """The container and the number of a Service's target port; None where the pod has none or does not run."""
    if pod["status"].get("phase") != "Running" or "podIP" not in pod["status"]:
        return None
    for container in pod["spec"]["containers"]:
        for port in container.get("ports", []):
            if target in (port.get("name"), port["containerPort"]):
                return container["name"], port["containerPort"]
    return None


def _selects(selector: Object, labels: Object) -> bool:
    return selector.items() <= labels.items()
