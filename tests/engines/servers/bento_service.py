"""Two bentos' services: one that leaves everything open, and one whose decorator says how long a request may take."""

import os
import time
from pathlib import Path

import bentoml


def wait_for(name: str) -> None:
    while not (Path(os.environ["GATE"]) / name).exists():
        time.sleep(0.02)


class Doubling:
    """Twice the number; below 0 it raises, above 1000 it waits for the file that the number names."""

    def __init__(self) -> None:
        (Path(os.environ["GATE"]) / f"loading-{os.getpid()}").touch()
        wait_for("load")

    def double(self, x: float) -> float:
        if x < 0:
            raise ValueError("a number below 0")
        if x > 1000:
            (Path(os.environ["GATE"]) / f"running-{x:g}").touch()
            wait_for(f"{x:g}")
        return 2 * x


@bentoml.service
class Doubler(Doubling):
    @bentoml.api
    def predict(self, x: float) -> float:
        return self.double(x)


@bentoml.service(workers=2, traffic={"timeout": 1})
class Strict(Doubling):
    @bentoml.api
    def predict(self, x: float) -> float:
        return self.double(x)
