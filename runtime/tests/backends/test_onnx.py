"""ONNX Runtime's devices: what cannot be had is refused, never replaced by another in silence."""

from pathlib import Path
from typing import Any

import onnxruntime
import pytest

from runtime_testing.models import classifier, put
from slipform_runtime.backends.base import Device
from slipform_runtime.backends.onnx import OnnxBackend
from slipform_runtime.errors import ModelLoadError
from slipform_runtime.repository.config import parse_config


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


@pytest.mark.parametrize("level", [-1, 0, 1, 2])
def test_tritons_own_settings_of_the_backend_are_followed(
    model: Path, monkeypatch: pytest.MonkeyPatch, level: int
) -> None:
    made: list[Any] = []
    session = onnxruntime.InferenceSession

    def make(path: str, options: Any, **rest: Any) -> Any:
        made.append(options)
        return session(path, options, **rest)

    monkeypatch.setattr(onnxruntime, "InferenceSession", make)
    config = parse_config(
        f"""
        optimization {{ graph {{ level: {level} }} }}
        parameters {{ key: "intra_op_thread_count" value {{ string_value: "3" }} }}
        parameters {{ key: "inter_op_thread_count" value {{ string_value: "2" }} }}
        parameters {{ key: "execution_mode" value {{ string_value: "1" }} }}
        """,
        "wine",
    )
    OnnxBackend().load(model, Device(threads=1), config)
    (options,) = made
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (3, 2)
    assert options.execution_mode == onnxruntime.ExecutionMode.ORT_PARALLEL
    levels = onnxruntime.GraphOptimizationLevel
    assert (
        options.graph_optimization_level
        == {
            -1: levels.ORT_ENABLE_BASIC,
            0: levels.ORT_ENABLE_ALL,
            1: levels.ORT_ENABLE_EXTENDED,
            2: levels.ORT_DISABLE_ALL,
        }[level]
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("optimization { graph { level: 3 } }", "level 3 is not one of -1, 0, 1, 2"),
        ('parameters { key: "execution_mode" value { string_value: "fast" } }', "'execution_mode' is 'fast'"),
        ('parameters { key: "intra_op_thread_count" value { string_value: "-1" } }', "whole number from 0"),
    ],
)
def test_a_setting_of_the_backend_that_is_none_is_refused(model: Path, text: str, words: str) -> None:
    with pytest.raises(ModelLoadError, match=words):
        OnnxBackend().load(model, Device(), parse_config(text, "wine"))
