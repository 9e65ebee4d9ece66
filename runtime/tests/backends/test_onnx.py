"""ONNX Runtime's devices: what cannot be had is refused, never replaced by another in silence."""

from pathlib import Path
from typing import Any

import onnxruntime
import pytest

from runtime_testing.models import classifier, put
from slipform_runtime.backends.base import Device
from slipform_runtime.backends.onnx import OnnxBackend
from slipform_runtime.errors import ModelLoadError


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return put(tmp_path, "wine", classifier()) / "1" / "model.onnx"


def test_an_onnx_runtime_without_cuda_is_refused_with_what_to_install(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ModelLoadError, match="this ONNX Runtime has no CUDA; install onnxruntime-gpu in its place"):
        OnnxBackend().load(model, Device("gpu"), None)


def test_a_cuda_that_cannot_be_used_is_refused_rather_than_replaced_by_the_processor(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime itself makes a session on the processor, and only its log says so."""
    session = onnxruntime.InferenceSession

    def made(path: str, options: Any, providers: list[Any]) -> Any:
        assert providers[0][0] == "CUDAExecutionProvider"
        return session(path, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "InferenceSession", made)
    with pytest.raises(ModelLoadError, match="ONNX Runtime cannot use CUDA here: the GPU, its driver or CUDA's"):
        OnnxBackend().load(model, Device("gpu"), None)
