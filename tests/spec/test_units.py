"""Durations, memory, processors, accelerators: what is taken, what is refused, and that each has one spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from slipform.spec.units import GPU_MODELS, Accelerator, Cpu, Duration, Memory, Written


@pytest.mark.parametrize(
    ("kind", "written", "canonical"),
    [
        (Duration, "5ms", "5ms"),
        (Duration, "1500ms", "1s500ms"),
        (Duration, "90s", "1m30s"),
        (Duration, "0.5s", "500ms"),
        (Duration, "1h30m", "1h30m"),
        (Duration, "30d", "30d"),
        (Duration, 0, "0s"),
        (Memory, "1Gi", "1Gi"),
        (Memory, "1024Mi", "1Gi"),
        (Memory, "1.5Gi", "1536Mi"),
        (Memory, "100G", "100G"),
        (Cpu, 3, "3"),
        (Cpu, "3", "3"),
        (Cpu, 0.5, "500m"),
        (Cpu, "3000m", "3"),
        (Accelerator, "nvidia-l4", "nvidia-l4"),
        (Accelerator, "nvidia-l4:1", "nvidia-l4"),
        (Accelerator, "nvidia-l4:2", "nvidia-l4:2"),
    ],
)
def test_what_people_write_has_one_spelling(kind: type[Written], written: object, canonical: str) -> None:
    assert str(TypeAdapter(kind).validate_python(written)) == canonical


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (Duration, 5), (Duration, "5"), (Duration, "5 ms"), (Duration, "-5ms"), (Duration, "ms"), (Duration, True),
        (Duration, "0.0000001s"), (Duration, "99999d"), (Duration, None), (Duration, ""), (Duration, "1h 30m"),
        (Memory, 8), (Memory, "8"), (Memory, "8GB"), (Memory, "-1Gi"), (Memory, "0Gi"), (Memory, True), (Memory, []),
        (Memory, "99999999Ti"),
        (Cpu, 0), (Cpu, -1), (Cpu, "0.0001"), (Cpu, True), (Cpu, "three"), (Cpu, None), (Cpu, 2_000_000),
        (Accelerator, "l4"), (Accelerator, "nvidia-l4:0"), (Accelerator, "nvidia-l4:"), (Accelerator, "nvidia-l4:x"),
        (Accelerator, 2),
    ],
)  # fmt: skip
def test_what_is_no_amount_is_refused_with_what_is_allowed(kind: type[Written], written: object) -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(kind).validate_python(written)
    (error,) = refused.value.errors()
    assert error["type"] == "slipform"
    assert error["ctx"]["allowed"] or error["ctx"]["remedy"]


@given(st.integers(min_value=0, max_value=10**14))
def test_a_duration_reads_back_as_it_is_printed(microseconds: int) -> None:
    assert Duration.parse(str(Duration(microseconds))) == Duration(microseconds)


@given(st.integers(min_value=1, max_value=2**50), st.sampled_from(["Ki", "Mi", "Gi", "k", "M", "G"]))
def test_memory_reads_back_as_it_is_printed(number: int, unit: str) -> None:
    try:
        memory = Memory.parse(f"{number}{unit}")
    except Exception:
        return
    assert Memory.parse(str(memory)) == memory


@given(st.integers(min_value=1, max_value=1_000_000))
def test_processors_read_back_as_they_are_printed(millicores: int) -> None:
    assert Cpu.parse(str(Cpu(millicores))) == Cpu(millicores)


@given(st.sampled_from(sorted(GPU_MODELS)), st.integers(min_value=1, max_value=99))
def test_accelerators_read_back_as_they_are_printed(kind: str, count: int) -> None:
    assert Accelerator.parse(str(Accelerator(kind, count))) == Accelerator(kind, count)


@given(st.text(max_size=20) | st.integers() | st.floats() | st.booleans() | st.none())
def test_anything_else_is_a_value_or_a_validation_error(written: object) -> None:
    for kind in (Duration, Memory, Cpu, Accelerator):
        try:
            TypeAdapter(kind).validate_python(written)
        except ValidationError:
            continue
