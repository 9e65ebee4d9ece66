"""How many replicas a model is given, and has, in the course of time."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, pairwise

from tests.cluster.api import Api, Object
from tests.cluster.following import following
from tests.cluster.model import Model


@dataclass(frozen=True)
class Count:
    """The replicas from a time on, which is Unix time: how many are to be there, and how many are ready."""

    at: float
    wished: int
    ready: int


class Replicas:
    """A Deployment's replicas as they change."""

    def __init__(self, model: Model) -> None:
        self.counts: list[Count] = []
        self._model = model
        self._changed_at = 0.0
        self._wished_changes = threading.Condition()

    def until(self, holds: Callable[[int], bool], *, timeout: float = 180.0) -> None:
        """Waits until the number that is wished is as it should be."""
        with self._wished_changes:
            if not self._wished_changes.wait_for(lambda: bool(self.counts) and holds(self.counts[-1].wished), timeout):
                raise TimeoutError(f"{self._model.name} after {timeout:.0f} s: {self.counts}")

    def until_rest(self, quiet: float, *, since: float, timeout: float = 240.0) -> None:
        """Waits until the number that is wished has not changed for some seconds after a time."""
        deadline = time.time() + timeout
        with self._wished_changes:
            while (left := max(since, self._changed_at) + quiet - time.time()) > 0:
                if time.time() > deadline:
                    raise TimeoutError(f"{self._model.name} has not come to rest in {timeout:.0f} s: {self.counts}")
                self._wished_changes.wait(left)

    def between(self, begin: float, end: float) -> list[int]:
        """The numbers that were wished within a time, in their order, none twice in a row."""
        before = [count.wished for count in self.counts if count.at <= begin][-1:]
        after = [count.wished for count in self.counts if begin < count.at <= end]
        return [number for number, _ in groupby(before + after)]

    def take(self, deployments: Sequence[Object]) -> None:
        """Takes note of the Deployments as they are now."""
        for deployment in deployments:
            if deployment["metadata"]["name"] == self._model.name:
                ready = deployment.get("status", {}).get("readyReplicas", 0)
                self._note(Count(time.time(), deployment["spec"]["replicas"], ready))

    def _note(self, count: Count) -> None:
        with self._wished_changes:
            last = self.counts[-1] if self.counts else None
            self.counts.append(count)
            if last is None or last.wished != count.wished:
                self._changed_at = count.at
                self._wished_changes.notify_all()


@contextmanager
def recorded(api: Api, model: Model) -> Iterator[Replicas]:
    """The replicas of a model from now on."""
    made = Replicas(model)
    with following(api, "apps/v1", "Deployment", made.take, namespace=model.namespace):
        yield made


def turns(numbers: Sequence[int]) -> int:
    """How often a course of numbers changes its direction."""
    directions = [after > before for before, after in pairwise(numbers)]
    return sum(one != other for one, other in pairwise(directions))
