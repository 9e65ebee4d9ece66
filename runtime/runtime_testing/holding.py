"""A model that is busy for as long as a test says, however slow or quick the machine is."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

from runtime_testing.serving import RunningServer
from slipform_runtime.datatypes import Tensor


class _Held:
    """An instance whose runs do not end before `released`."""

    def __init__(self, instance: Any, released: Event) -> None:
        self.close = instance.close
        self._run = instance.run
        self._released = released

    def run(self, inputs: dict[str, Tensor], outputs: tuple[str, ...] | None) -> dict[str, Tensor]:
        self._released.wait()
        found: dict[str, Tensor] = self._run(inputs, outputs)
        return found


@contextmanager
def held(server: RunningServer, model: str) -> Iterator[Any]:
    """Within the block the model's version takes batches, each in a thread as large models do, and ends none."""
    version: Any = server.server.data_plane.served(model)
    own = [instance.runnable for instance in version.instances]
    released = Event()

    def hold() -> None:
        for instance in version.instances:
            instance.runnable, instance.threaded = _Held(instance.runnable, released), True

    def let_go() -> None:
        for instance, runnable in zip(version.instances, own, strict=True):
            instance.runnable = runnable

    server.call(hold)
    try:
        yield version
    finally:
        released.set()
        server.call(let_go)
