"""KServe's controller and its webhooks as one process on loopback, for the InferenceServices of one namespace."""

import base64
import copy
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import trustme
import yaml
from tests.cluster import processes
from tests.cluster.api import ConflictError, Object
from tests.cluster.plane import Plane

HOME = "kserve"
INFERENCE_SERVICE = ("serving.kserve.io/v1beta1", "InferenceService")
_ADMISSION = "admissionregistration.k8s.io/v1"
_OURS = ("inferenceservice.serving.kserve.io",)
"""The webhook configurations that take part: those for InferenceServices and their pods."""


@contextmanager
def kserve(plane: Plane, manager: Path, namespace: str, folder: Path) -> Iterator[None]:
    """As it is delivered, with the config map of its own module; watches when the block begins."""
    folder.mkdir(exist_ok=True)
    with suppress(ConflictError):
        plane.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HOME}})
    config = yaml.safe_load((manager.parent / "inferenceservice.yaml").read_text())
    plane.api.apply({**config, "metadata": {"name": config["metadata"]["name"], "namespace": HOME}})
    webhooks, health = processes.free_port(), processes.free_port()
    authority = _certificates(folder / "k8s-webhook-server" / "serving-certs")
    command: list[str | Path] = [
        manager, f"--kubeconfig={plane.kubeconfig}", f"--webhook-port={webhooks}",
        f"--health-probe-addr=127.0.0.1:{health}", f"--metrics-addr=127.0.0.1:{processes.free_port()}",
    ]  # fmt: skip
    log = folder / "kserve-manager.log"
    # Its certificates are looked for below the folder for temporary files.
    with processes.running(command, log, env=os.environ | {"TMPDIR": str(folder)}) as program:
        processes.wait_until(lambda: _listens(webhooks), {"kserve-manager": program}, folder)
        made = [plane.api.apply(each) for each in _registrations(manager, namespace, webhooks, authority)]
        try:
            yield
        finally:
            # Only the controller takes its finalizer off them, without which their namespace stays.
            for found in plane.api.list(*INFERENCE_SERVICE, namespace):
                plane.api.delete(*INFERENCE_SERVICE, found["metadata"]["name"], namespace)
            plane.api.until(*INFERENCE_SERVICE, lambda left: not left, namespace=namespace)
            for each in made:
                plane.api.delete(_ADMISSION, each["kind"], each["metadata"]["name"])


def _registrations(manager: Path, namespace: str, port: int, authority: bytes) -> Iterator[Object]:
    """Its own, reached on loopback and for one namespace: other tests' objects are none of its business."""
    documents = yaml.safe_load_all((manager.parent / "webhooks.yaml").read_text())
    for found in documents:
        if found and found["metadata"]["name"] in _OURS:
            made: dict[str, Any] = copy.deepcopy(found)
            made["metadata"] = {"name": found["metadata"]["name"]}
            for hook in made["webhooks"]:
                hook["clientConfig"] = {
                    "url": f"https://127.0.0.1:{port}{hook['clientConfig']['service']['path']}",
                    "caBundle": base64.b64encode(authority).decode(),
                }
                hook["admissionReviewVersions"] = ["v1"]
                hook["namespaceSelector"] = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
            yield made


def _certificates(folder: Path) -> bytes:
    folder.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(str(folder / "tls.crt"))
    issued.private_key_pem.write_to_path(str(folder / "tls.key"))
    return authority.cert_pem.bytes()


def _listens(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
