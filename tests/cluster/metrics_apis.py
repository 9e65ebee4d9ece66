"""What answers the autoscaler's questions: prometheus-adapter, and KEDA's operator with its metrics server.

Both run as ordinary processes on loopback, behind an APIService whose Service is the name `localhost`.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import trustme
from tests.cluster import processes, tools
from tests.cluster.api import Object
from tests.cluster.plane import Plane

HOME = "kube-system"
SCALED_OBJECT = ("keda.sh/v1alpha1", "ScaledObject")
APISERVICE = ("apiregistration.k8s.io/v1", "APIService")


@contextmanager
def prometheus_adapter(plane: Plane, rules: str, prometheus: str, folder: Path) -> Iterator[None]:
    """custom.metrics.k8s.io by these rules; answers when the block begins."""
    folder.mkdir(exist_ok=True)
    config, port = folder / "rules.yaml", processes.free_port()
    config.write_text(rules)
    command: list[str | Path] = [
        tools.ensure("prometheus-adapter"), f"--config={config}", f"--prometheus-url={prometheus}",
        f"--secure-port={port}", f"--cert-dir={folder}", "--metrics-relist-interval=2s", "--metrics-max-age=1m",
        *_kubeconfigs(plane),
    ]  # fmt: skip
    with processes.running(command, folder / "prometheus-adapter.log"), _served(plane, "custom", port):
        yield


@contextmanager
def keda(plane: Plane, namespace: str, folder: Path) -> Iterator[None]:
    """external.metrics.k8s.io and the ScaledObjects of one namespace; answers when the block begins."""
    folder.mkdir(exist_ok=True)
    _write_certificates(folder)
    operator, adapter = processes.free_port(), processes.free_port()
    own = {"WATCH_NAMESPACE": namespace, "KEDA_CLUSTER_OBJECT_NAMESPACE": HOME, "KUBECONFIG": str(plane.kubeconfig)}
    commands: dict[str, list[str | Path]] = {
        "keda-operator": [
            tools.ensure("keda-operator"), f"--cert-dir={folder}",
            f"--metrics-service-bind-address=127.0.0.1:{operator}",
            f"--metrics-bind-address=127.0.0.1:{processes.free_port()}",
            f"--health-probe-bind-address=127.0.0.1:{processes.free_port()}", "--zap-log-level=info",
        ],
        "keda-adapter": [
            tools.ensure("keda-adapter"), f"--cert-dir={folder}", f"--metrics-service-address=localhost:{operator}",
            f"--client-ca-file={folder / 'ca.crt'}",
            f"--tls-cert-file={folder / 'tls.crt'}", f"--tls-private-key-file={folder / 'tls.key'}",
            f"--secure-port={adapter}", f"--port={processes.free_port()}", *_kubeconfigs(plane),
        ],
    }  # fmt: skip
    with ExitStack() as programs:
        for name, command in commands.items():
            programs.enter_context(processes.running(command, folder / f"{name}.log", env=os.environ | own))
        programs.enter_context(_served(plane, "external", adapter))
        try:
            yield
        finally:
            # Only the operator takes its finalizer off them, without which their namespace stays.
            for found in plane.api.list(*SCALED_OBJECT, namespace):
                plane.api.delete(*SCALED_OBJECT, found["metadata"]["name"], namespace)
            plane.api.until(*SCALED_OBJECT, lambda left: not left, namespace=namespace)


def _kubeconfigs(plane: Plane) -> list[str]:
    return [f"--{what}-kubeconfig={plane.kubeconfig}" for what in ("lister", "authentication", "authorization")]


@contextmanager
def _served(plane: Plane, which: str, port: int) -> Iterator[None]:
    """An APIService for a metrics API on a local port; waits until the API server can reach it."""
    name, group = f"{which}-metrics", f"{which}.metrics.k8s.io"
    service: Object = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": HOME},
        "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]},
    }  # fmt: skip
    registration: Object = {
        "apiVersion": APISERVICE[0], "kind": APISERVICE[1], "metadata": {"name": f"v1beta1.{group}"},
        "spec": {
            "group": group, "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100,
            "insecureSkipTLSVerify": True, "service": {"name": name, "namespace": HOME, "port": port},
        },
    }  # fmt: skip
    api = plane.api
    try:
        api.apply(service)
        api.apply(registration)
        api.until(*APISERVICE, lambda found: _is_available(found[f"v1beta1.{group}"]))
        yield
    finally:
        # One that nobody answers would keep every namespace from being deleted.
        api.delete(*APISERVICE, f"v1beta1.{group}")
        api.delete("v1", "Service", name, HOME)


def _is_available(registration: Object) -> bool:
    conditions = registration.get("status", {}).get("conditions") or []
    return any(found["type"] == "Available" and found["status"] == "True" for found in conditions)


def _write_certificates(folder: Path) -> None:
    """What KEDA's two programs show each other."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    authority.cert_pem.write_to_path(str(folder / "ca.crt"))
    issued.cert_chain_pems[0].write_to_path(str(folder / "tls.crt"))
    issued.private_key_pem.write_to_path(str(folder / "tls.key"))
