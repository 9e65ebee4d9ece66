"""Loading a version: how many threads a small model gets."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime_testing.models import classifier, put
from slipform_runtime.backends.base import Device
from slipform_runtime.backends.onnx import OnnxBackend
from slipform_runtime.protos import ModelConfig
from slipform_runtime.repository import loader, warmup
from slipform_runtime.repository.loader import load_version


class Threaded:
    """A backend whose runs take as long as the number of threads says, by a clock of its own."""

    name = platform = "threaded"
    default_filename = "model.onnx"
    follows = ()

    def __init__(self, seconds: dict[int, float]) -> None:
        self.seconds = seconds
        self.open: list[int] = []
        self.now = 0.0

    def load(self, path: Path, device: Device, config: Any) -> Any:
        instance = OnnxBackend().load(path, device, config)
        run, close = instance.run, instance.close
        self.open.append(device.threads)

        def slowed(inputs: Any, outputs: Any) -> dict[str, "np.ndarray[Any, Any]"]:
            self.now += self.seconds[device.threads]
            return run(inputs, outputs)

        def closed() -> None:
            self.open.remove(device.threads)
            close()

        instance.run, instance.close = slowed, closed  # type: ignore[method-assign]
        return instance


@pytest.mark.parametrize(
    ("seconds", "threads"),
    [
        pytest.param({4: 0.01, 1: 0.01}, 1, id="threads that do not help are left away"),
        pytest.param({4: 0.01, 1: 0.03}, 4, id="threads that help are kept"),
        pytest.param({4: 0.06, 1: 0.06}, 4, id="a large model keeps its threads"),
        pytest.param({4: 0.045, 1: 0.055}, 4, id="threads that make a model small are kept"),
    ],
)
def test_a_small_model_has_one_thread_unless_more_make_it_quicker(
    seconds: dict[int, float], threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = Threaded(seconds)
    put(tmp_path, "wine", classifier())
    monkeypatch.setattr(loader, "available_cpus", lambda: 4)
    monkeypatch.setattr(loader, "backend_for", lambda config, files: backend)
    monkeypatch.setattr(warmup, "perf_counter", lambda: backend.now)
    monkeypatch.setattr(warmup, "INLINE_LIMIT_SECONDS", 0.05)
    load_version(tmp_path / "wine", 1, ModelConfig(name="wine"))
    assert backend.open == [threads]
