"""A real control plane on loopback: etcd, kube-apiserver, controller-manager, scheduler and kwok as processes."""

import os
import secrets
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from tests.cluster import certificates, processes, tools
from tests.cluster.api import Api

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")
CONTEXT = "slipform-tests"
KWOK_NODES = "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake"
Programs = dict[str, subprocess.Popen[bytes]]


@dataclass(frozen=True)
class Plane:
    """A cluster that the tests may do with as they like."""

    api: Api
    kubeconfig: Path
    context: str
    logs: Path


@contextmanager
def local_plane(folder: Path, *, sync_period: str = "3s") -> Iterator[Plane]:
    """Starts the control plane and takes it down; `sync_period` is that of the HorizontalPodAutoscaler."""
    keys = certificates.issue(folder)
    token, port = secrets.token_urlsafe(), processes.free_port()
    server = f"https://127.0.0.1:{port}"
    kubeconfig = _write_kubeconfig(folder / "kubeconfig.yaml", server, token, keys.authority)
    programs: Programs = {}
    try:
        etcd = _start_etcd(programs, folder)
        _start_api_server(programs, folder, keys, token, port, etcd)
        processes.wait_until(lambda: _answers(f"{server}/readyz", token, keys.authority), programs, folder)
        _start_controllers(programs, folder, keys, kubeconfig, sync_period)
        yield Plane(Api(kubeconfig), kubeconfig, CONTEXT, folder)
    finally:
        # The API server first: it would wait for an etcd that is gone.
        processes.stop(*reversed(programs.values()), patience=0)


@contextmanager
def kind_plane(kubeconfig: Path, folder: Path) -> Iterator[Plane]:
    """A kind cluster, whose own node takes no pods of the tests, with kwok beside it for the nodes that do."""
    kubeconfig = kubeconfig.absolute()  # pytest-kind's is relative, and programs run elsewhere
    api = Api(kubeconfig)
    for found in api.list("v1", "Node"):
        name = found["metadata"]["name"]
        api.patch("v1", "Node", name, None, {"spec": {"unschedulable": True}})
    with processes.running([tools.ensure("kwok"), f"--kubeconfig={kubeconfig}", KWOK_NODES], folder / "kwok.log"):
        context = yaml.safe_load(kubeconfig.read_text())["current-context"]
        yield Plane(api, kubeconfig, context, folder)


def _start_etcd(programs: Programs, folder: Path) -> str:
    client, peer = (f"http://127.0.0.1:{processes.free_port()}" for _ in range(2))
    programs["etcd"] = processes.start(
        [
            tools.ensure("etcd"), f"--data-dir={folder / 'etcd'}", "--unsafe-no-fsync", "--log-level=warn",
            f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
        ],
        folder / "etcd.log",
    )  # fmt: skip
    return client


def _start_api_server(
    programs: Programs, folder: Path, keys: certificates.Certificates, token: str, port: int, etcd: str
) -> None:
    tokens = folder / "tokens.csv"
    tokens.write_text(f'{token},tester,tester,"system:masters"\n')
    programs["kube-apiserver"] = processes.start(
        [
            tools.ensure("kube-apiserver"), f"--etcd-servers={etcd}", f"--secure-port={port}",
            "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--service-cluster-ip-range=10.0.0.0/16",
            "--allow-privileged", "--authorization-mode=RBAC", f"--token-auth-file={tokens}",
            f"--tls-cert-file={keys.server}", f"--tls-private-key-file={keys.server_key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={keys.service_account_key}",
            f"--service-account-signing-key-file={keys.service_account_key}",
            # What an aggregated API server (prometheus-adapter, KEDA) needs.
            f"--requestheader-client-ca-file={keys.authority}", "--requestheader-allowed-names=front-proxy",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-", "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-username-headers=X-Remote-User",
            f"--proxy-client-cert-file={keys.proxy}", f"--proxy-client-key-file={keys.proxy_key}",
            "--enable-aggregator-routing=false",
            # etcd before 3.5.13 cannot report the progress that streamed lists wait for.
            "--feature-gates=WatchList=false",
            # No kubelet's node lifecycle takes the taint off that this plugin puts on.
            "--disable-admission-plugins=TaintNodesByCondition",
        ],
        folder / "kube-apiserver.log",
        env=os.environ | {"GOGC": "200"},  # installing 66 CustomResourceDefinitions is mostly garbage collection
    )  # fmt: skip


def _start_controllers(
    programs: Programs, folder: Path, keys: certificates.Certificates, kubeconfig: Path, sync_period: str
) -> None:
    commands: dict[str, list[str]] = {
        "kube-controller-manager": [
            f"--kubeconfig={kubeconfig}", "--leader-elect=false", "--secure-port=0",
            f"--root-ca-file={keys.authority}", f"--service-account-private-key-file={keys.service_account_key}",
            f"--horizontal-pod-autoscaler-sync-period={sync_period}",
            # On a busy machine kwok's heartbeats come late; no test needs a node that is lost.
            "--node-monitor-grace-period=30m",
            # The pods' readiness and usage are known at once here: no kubelet warms up.
            "--horizontal-pod-autoscaler-initial-readiness-delay=0s",
            "--horizontal-pod-autoscaler-cpu-initialization-period=0s",
        ],
        "kube-scheduler": [f"--kubeconfig={kubeconfig}", "--leader-elect=false", "--secure-port=0"],
        "kwok": [f"--kubeconfig={kubeconfig}", KWOK_NODES],
    }  # fmt: skip
    for name, arguments in commands.items():
        programs[name] = processes.start([tools.ensure(name), *arguments], folder / f"{name}.log")


def _write_kubeconfig(path: Path, server: str, token: str, authority: Path) -> Path:
    name = CONTEXT
    document = {
        "apiVersion": "v1", "kind": "Config", "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority": str(authority)}}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    }  # fmt: skip
    path.write_text(yaml.safe_dump(document))
    path.chmod(0o600)
    return path


def _answers(url: str, token: str, authority: Path) -> bool:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    try:
        context = ssl.create_default_context(cafile=str(authority))
        with urllib.request.urlopen(request, timeout=2, context=context):
            return True
    except (urllib.error.URLError, OSError):
        return False
