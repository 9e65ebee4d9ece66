"""A pod's life: its folder and address, its init containers one by one, its containers together, its end."""

import asyncio
from contextlib import suppress
from pathlib import Path

from tests.cluster.api import Api, DynamicApiError, NotFoundError, Object
from tests.cluster.node import volumes
from tests.cluster.node.container import Container
from tests.cluster.node.environment import check, environment
from tests.cluster.node.paths import Paths
from tests.cluster.node.process import Surroundings
from tests.cluster.node.status import pod_status


class Pod:
    """One pod that is bound to this node."""

    def __init__(self, api: Api, manifest: Object, address: str, folder: Path, programs: Path) -> None:
        self.manifest, self.address = manifest, address
        self._api, self._folder, self._programs = api, folder, programs
        self._spec = manifest["spec"]
        self._changed, self._over, self._ending = asyncio.Event(), False, False
        folder.mkdir(parents=True)
        self._inits = {spec["name"]: self._container(spec) for spec in self._spec.get("initContainers", [])}
        self._containers = {spec["name"]: self._container(spec) for spec in self._spec["containers"]}

    async def run(self) -> None:
        """Lives; returns when the pod is over and, where it was deleted, gone."""
        try:
            volumes.check(self.manifest)
            check(self.manifest)
        except volumes.Unsupported as error:
            await self._patch({"phase": "Failed", "reason": "UnexpectedAdmissionError", "message": str(error)})
        else:
            await self._live()
        if self._ending:
            with suppress(NotFoundError):
                await asyncio.to_thread(self._api.delete, "v1", "Pod", self._name, self._namespace, 0)

    def update(self, manifest: Object) -> None:
        """Takes note of a change; a pod with a time of deletion ends."""
        self.manifest = manifest
        if "deletionTimestamp" in manifest["metadata"]:
            self.end(manifest["metadata"].get("deletionGracePeriodSeconds", 0))

    def end(self, grace: float) -> None:
        """Ends every container within so many seconds."""
        if not self._ending:
            self._ending = True
            for container in (*self._inits.values(), *self._containers.values()):
                container.end(grace)

    async def _live(self) -> None:
        reporting = asyncio.create_task(self._report_changes())
        try:
            await self._run_containers()
        finally:
            self._over = True
            self._changed.set()
            await reporting

    async def _run_containers(self) -> None:
        policy = self._spec.get("restartPolicy", "Always")
        grace = self._spec.get("terminationGracePeriodSeconds", 30)
        for container in self._inits.values():
            # One that must succeed before the others is started again only when it fails.
            code = await container.run("Never" if policy == "Never" else "OnFailure", grace)
            if code != 0 or self._ending:
                return
        self._changed.set()
        await asyncio.gather(*(container.run(policy, grace) for container in self._containers.values()))

    def _container(self, spec: Object) -> Container:
        root = self._folder / spec["name"]
        mounted = [mount["mountPath"] for mount in spec.get("volumeMounts", [])]
        paths = Paths(root, [*mounted, *filter(None, [spec.get("workingDir")])])

        def prepare() -> Surroundings:
            root.mkdir(exist_ok=True)
            pod = self.manifest | {"status": {"podIP": self.address}}
            made = environment(self._api, pod, spec, paths, self._programs)
            volumes.mount(self._api, pod, spec, paths, self._folder / "volumes")
            folder = paths.here(spec.get("workingDir", "/"))
            folder.mkdir(parents=True, exist_ok=True)
            return Surroundings(made, folder, self._folder / f"{spec['name']}.log")

        return Container(spec, self.address, lambda: asyncio.to_thread(prepare), paths.rewritten, self._changed.set)

    async def _report_changes(self) -> None:
        last = None
        while not (self._over and not self._changed.is_set()):
            self._changed.clear()
            status = self._status()
            if status != last and await self._patch(status):
                last = status
            if not self._over:
                await self._changed.wait()

    def _status(self) -> Object:
        inits = {name: container.state for name, container in self._inits.items()}
        states = {name: container.state for name, container in self._containers.items()}
        return pod_status(self.manifest, self.address, inits, states)

    async def _patch(self, status: Object) -> bool:
        try:
            patch = {"status": status}
            changed = await asyncio.to_thread(
                self._api.patch, "v1", "Pod", self._name, self._namespace, patch, "status"
            )
        except NotFoundError:
            return True  # deleted by force
        except DynamicApiError as error:
            print(f"{self._namespace}/{self._name}: status: {error}", flush=True)
            return False
        self.manifest = self.manifest | {"status": changed["status"]}
        return True

    @property
    def _name(self) -> str:
        name: str = self.manifest["metadata"]["name"]
        return name

    @property
    def _namespace(self) -> str:
        namespace: str = self.manifest["metadata"]["namespace"]
        return namespace
