"""The models that are asked, and the versions that are put in each other's place."""

import shutil
from itertools import count
from pathlib import Path

from runtime_testing.models import BATCHING, add_sub, constant, identity, put, slow

QUEUE = "max_batch_size: 4\ndynamic_batching { default_queue_policy { max_queue_size: 8 } }\n"


def write(root: Path) -> "Versions":
    """Fill a model repository."""
    put(root, "sum", add_sub(), BATCHING)
    put(root, "cached", identity(), f"{BATCHING}response_cache {{ enable: true }}\n")
    put(root, "busy", slow(), QUEUE)
    return Versions(root)


class Versions:
    """`changing`: each version answers its own number, but for every fourth, which is no model at all."""

    def __init__(self, root: Path) -> None:
        self._root, self._numbers = root, count(2)
        self.served = {1}
        put(root, "changing", constant(1))

    def add(self) -> bool:
        """Write the next version; whether it can be loaded."""
        number = next(self._numbers)
        good = number % 4 != 0
        with_model = constant(number) if good else b"no model"
        folder = put(self._root / ".new", "changing", with_model, version=number)
        (folder / str(number)).rename(self._root / "changing" / str(number))
        if good:
            self.served.add(number)
        for old in range(max(1, number - 6), number - 4):
            shutil.rmtree(self._root / "changing" / str(old), ignore_errors=True)
        return good
