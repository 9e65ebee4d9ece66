"""NVIDIA's libraries, stood in for where none loads."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def without_gpu(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """TensorRT's and CUDA's typed stand-ins, which compute on the host; TensorRT's is returned."""
    trt = _standing_in("tensorrt", "fake_tensorrt.py", monkeypatch)
    _standing_in("cuda.bindings.runtime", "fake_cuda.py", monkeypatch)
    trt.__version__ = "11.4.0.106"  # type: ignore[attr-defined]
    trt.Builder.made = []
    return trt


def _standing_in(name: str, file: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(file))
    if spec is None or spec.loader is None:
        raise FileNotFoundError(file)
    fake = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, fake)
    spec.loader.exec_module(fake)
    return fake
