"""The node: its object and its heartbeat, and the pods that the scheduler binds to it."""

import asyncio
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from tests.cluster.api import Api, DynamicApiError, Object
from tests.cluster.node import image
from tests.cluster.node.addresses import addresses, is_free
from tests.cluster.node.pod import Pod

HEARTBEAT = 10.0
LEASES = "kube-node-lease"


class Agent:
    """Lives on one node as its kubelet does; `node` is its manifest, `runtime` a folder with the bundled one."""

    def __init__(self, api: Api, node: Object, folder: Path, runtime: Path) -> None:
        self._api, self._node, self._folder = api, node, folder
        self._name = node["metadata"]["name"]
        self._pods: dict[str, Pod] = {}
        self._lives: dict[str, asyncio.Task[None]] = {}
        self._addresses = addresses()
        self._programs = write_programs(folder / "programs", runtime)

    async def run(self) -> None:
        """Registers the node and takes its pods, until it is stopped; its pods' processes die with it."""
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(32))
        await asyncio.to_thread(self._register)
        async with asyncio.TaskGroup() as both:
            both.create_task(self._beat())
            both.create_task(self._take_pods())

    def _register(self) -> None:
        ready = {
            "type": "Ready", "status": "True", "reason": "AgentReady", "message": "the node agent runs",
            "lastHeartbeatTime": _now(), "lastTransitionTime": _now(),
        }  # fmt: skip
        status = {
            "allocatable": self._node["status"]["capacity"], "conditions": [ready],
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": self._name}],
        }  # fmt: skip
        self._api.create(self._node | {"status": self._node["status"] | status})

    async def _beat(self) -> None:
        lease: Object = {
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": self._name, "namespace": LEASES},
            "spec": {"holderIdentity": self._name, "leaseDurationSeconds": 40},
        }  # fmt: skip
        while True:
            lease["spec"]["renewTime"] = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
            with suppress(DynamicApiError):
                await asyncio.to_thread(self._api.apply, lease, manager=self._name, force=True)
            await asyncio.sleep(HEARTBEAT)

    async def _take_pods(self) -> None:
        seen: asyncio.Queue[Sequence[Object]] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def follow() -> None:
            for found in self._api.follow("v1", "Pod", fields=f"spec.nodeName={self._name}"):
                loop.call_soon_threadsafe(seen.put_nowait, found)

        threading.Thread(target=follow, daemon=True).start()
        while True:
            self._compare({pod["metadata"]["uid"]: pod for pod in await seen.get()})

    def _compare(self, bound: dict[str, Object]) -> None:
        for uid, manifest in bound.items():
            if uid not in self._pods and manifest["status"].get("phase") not in ("Succeeded", "Failed"):
                self._begin(uid, manifest)
            if uid in self._pods:
                self._pods[uid].update(manifest)
        for uid in self._pods.keys() - bound.keys():
            self._pods.pop(uid).end(0)  # deleted by force, or over and gone

    def _begin(self, uid: str, manifest: Object) -> None:
        address = next(found for found in self._addresses if is_free(found, manifest))
        metadata = manifest["metadata"]
        folder = self._folder / metadata["namespace"] / f"{metadata['name']}-{uid[:8]}"
        self._pods[uid] = Pod(self._api, manifest, address, folder, self._programs)
        self._lives[uid] = asyncio.create_task(self._pods[uid].run(), name=metadata["name"])
        self._lives[uid].add_done_callback(lambda _: self._lives.pop(uid))


def write_programs(folder: Path, runtime: Path) -> Path:
    """What the bundled runtime's image has on its PATH, for the runtime in a folder."""
    folder.mkdir(parents=True)
    program = folder / "slipform-runtime"
    # -P: the modules beside that file are none of the runtime's.
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{runtime}" exec "{sys.executable}" -P "{image.__file__}" "$@"\n')
    program.chmod(0o755)
    return folder


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
