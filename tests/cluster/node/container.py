"""A container's life: started, probed, started again when it ended or is not well, and ended with its hook."""

import asyncio
import shlex
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.cluster.api import Object
from tests.cluster.node import actions, process
from tests.cluster.node.probes import Health
from tests.cluster.node.volumes import NotYetThere

FIRST_BACKOFF, LONGEST_BACKOFF = 10.0, 300.0
"""Seconds that a kubelet waits before the second restart (the first is at once), doubled until the longest."""
RETRY = 1.0
"""Seconds until a ConfigMap or a Secret that was not there is looked for again."""
QUIET = 600.0
"""A container that ran for so many seconds has its restarts forgiven."""


@dataclass
class State:
    """What the pod's status says of a container, in Kubernetes' own words."""

    now: Object = field(default_factory=lambda: waiting("PodInitializing"))
    last: Object = field(default_factory=dict)
    restarts: int = 0
    started: bool = False
    ready: bool = False
    pid: int | None = None

    @property
    def exit_code(self) -> int | None:
        """Of a container that has ended and is not to run again."""
        code: int | None = self.now.get("terminated", {}).get("exitCode")
        return code


class Container:
    """One container of a pod. `prepare` makes its surroundings; it raises NotYetThere while a source is missing."""

    def __init__(
        self, spec: Object, address: str, prepare: Callable[[], Awaitable[process.Surroundings]],
        rewritten: Callable[[str], str], changed: Callable[[], None],
    ) -> None:  # fmt: skip
        self.spec = spec
        self.state = State()
        self._address, self._prepare, self._rewritten, self._changed = address, prepare, rewritten, changed
        self._ending = asyncio.Event()
        self._grace = 0.0

    async def run(self, restart_policy: str, grace: float) -> int | None:
        """Runs it until it is over: by itself, by its restart policy, or because the pod ends.

        Returns its exit code; None where it never ran.
        """
        backoff, self._grace = FIRST_BACKOFF, grace
        surroundings = await self._surroundings()
        loop, again = asyncio.get_running_loop(), False
        while surroundings and not self._ending.is_set():
            began = loop.time()
            code = await self._run_once(surroundings, again=again)
            if restart_policy == "Never" or (restart_policy == "OnFailure" and code == 0) or self._ending.is_set():
                break
            if loop.time() - began > QUIET:
                backoff = FIRST_BACKOFF
            if self.state.restarts:
                self._say(waiting("CrashLoopBackOff", f"back-off {backoff:.0f}s restarting failed container"))
                await self._wait(backoff)
                backoff = min(2 * backoff, LONGEST_BACKOFF)
            again = True
        if self.state.exit_code is None and self.state.last:
            self._say(self.state.last)
        return self.state.exit_code

    def end(self, grace: float) -> None:
        """Tells it to end within so many seconds; `run` returns when it has."""
        self._grace = grace
        self._ending.set()

    async def _surroundings(self) -> process.Surroundings | None:
        """What its processes need; None where the pod ends before that is there."""
        while not self._ending.is_set():
            try:
                return await self._prepare()
            except NotYetThere as error:
                self._say(waiting("CreateContainerConfigError", str(error)))
                await self._wait(RETRY)
        return None

    async def _run_once(self, surroundings: process.Surroundings, *, again: bool) -> int:
        command = [self._rewritten(word) for word in [*self.spec["command"], *self.spec.get("args", [])]]
        began = _now()
        try:
            running = await process.start(command, surroundings)
        except OSError as error:
            self.state.restarts += again
            return self._terminated(began, 128, "StartError", f"{shlex.join(command)}: {error}")
        self.state.restarts += again
        self.state.pid = running.pid
        health = Health(self.spec, lambda probe: self._perform(probe, surroundings), lambda: self._follow(health))
        self._say({"running": {"startedAt": began}})
        health.begin()
        events = [asyncio.create_task(event.wait()) for event in (health.unhealthy, self._ending)]
        await asyncio.wait([running.ended, *events], return_when=asyncio.FIRST_COMPLETED)
        if not running.ended.done():
            health.ending() if self._ending.is_set() else health.stop()
            await self._end(running, surroundings)
        for event in events:
            event.cancel()
        health.stop()
        code = running.ended.result()
        return self._terminated(began, code, "Completed" if code == 0 else "Error")

    async def _end(self, running: process.Process, surroundings: process.Surroundings) -> None:
        """The hook, then SIGTERM, then SIGKILL: all within the grace period."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._grace
        if hook := self.spec.get("lifecycle", {}).get("preStop"):
            told = asyncio.create_task(self._perform(hook, surroundings))
            done, _ = await asyncio.wait(
                [told, running.ended], timeout=self._grace, return_when=asyncio.FIRST_COMPLETED
            )
            if told not in done:
                told.cancel()
            with suppress(actions.ActionFailed, asyncio.CancelledError):  # a hook that fails keeps nothing alive
                await told
        await running.end(deadline - loop.time())

    async def _perform(self, action: Object, surroundings: process.Surroundings) -> None:
        async def execute(command: list[str]) -> int:
            child = await process.start([self._rewritten(word) for word in command], surroundings)
            try:
                return await child.ended
            finally:
                await child.kill()

        await actions.perform(action, self.spec, self._address, execute)

    async def _wait(self, seconds: float) -> None:
        """Waits, unless the container is to end."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ending.wait(), seconds)

    def _follow(self, health: Health) -> None:
        self.state.started, self.state.ready = health.started, health.ready
        self._changed()

    def _terminated(self, began: str, code: int, reason: str, message: str = "") -> int:
        self.state.started = self.state.ready = False
        self.state.pid = None
        ended = {"exitCode": code, "reason": reason, "startedAt": began, "finishedAt": _now()}
        self._say({"terminated": ended | ({"message": message} if message else {})})
        return code

    def _say(self, state: Object) -> None:
        if "terminated" in self.state.now:
            self.state.last = self.state.now
        self.state.now = state
        self._changed()


def waiting(reason: str, message: str = "") -> Object:
    return {"waiting": {"reason": reason} | ({"message": message} if message else {})}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
