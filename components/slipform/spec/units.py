"""Durations, memory, processors and accelerators, as people write them and as one canonical value.

Each type parses what a person writes, compares by value (``1Gi`` equals ``1024Mi``) and prints one spelling, so that
a change of spelling is no change of a plan.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from .findings import did_you_mean


def refuse(message: str, *, allowed: str | None = None, remedy: str | None = None) -> PydanticCustomError:
    """A validation error that carries what is allowed and what to do; braces in the texts are kept as they are."""
    context = {"message": message, "allowed": allowed or "", "remedy": remedy or ""}
    return PydanticCustomError("slipform", "{message}", context)


class Written:
    """Base of the values that a person writes as one scalar; subclasses parse it and publish its pattern."""

    pattern: ClassVar[str]
    schema_type: ClassVar[list[str] | str] = "string"
    examples: ClassVar[list[str | int | float]]

    @classmethod
    def parse(cls, written: object) -> Self:
        raise NotImplementedError

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def validate(value: object) -> Written:
            return value if isinstance(value, cls) else cls.parse(value)

        return core_schema.no_info_plain_validator_function(
            validate, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": cls.schema_type, "pattern": cls.pattern, "examples": list(cls.examples)}


_MICROSECONDS = {
    "d": 86_400_000_000,
    "h": 3_600_000_000,
    "m": 60_000_000,
    "s": 1_000_000,
    "ms": 1_000,
    "us": 1,
}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h|d)")


@dataclass(frozen=True, order=True)
class Duration(Written):
    """A span of time: ``5ms``, ``30s``, ``1h30m``; kept in microseconds."""

    microseconds: int

    pattern = r"^([0-9]+(\.[0-9]+)?(us|ms|s|m|h|d))+$"
    examples: ClassVar[list[str | int | float]] = ["5ms", "30s", "1h30m"]

    @classmethod
    def parse(cls, written: object) -> Self:
        if isinstance(written, int | float) and not isinstance(written, bool):
            if written == 0:
                return cls(0)
            raise refuse(
                "a duration needs a unit",
                allowed="a number with us, ms, s, m, h or d",
                remedy=f"write {written}ms or {written}s",
            )
        if not isinstance(written, str) or not re.fullmatch(cls.pattern, written):
            if written == "0":
                return cls(0)
            raise refuse("not a duration", allowed="a number with us, ms, s, m, h or d, such as 5ms, 30s, 1h30m")
        total = sum(Decimal(n) * _MICROSECONDS[unit] for n, unit in _DURATION_PART.findall(written))
        if total > 10 * 365 * _MICROSECONDS["d"]:
            raise refuse("a duration of more than ten years", remedy="check the unit")
        if total != int(total):
            raise refuse("a duration is at least a microsecond exact", remedy="round it to whole microseconds")
        return cls(int(total))

    @property
    def seconds(self) -> float:
        return self.microseconds / 1_000_000

    @property
    def milliseconds(self) -> float:
        return self.microseconds / 1_000

    def whole_seconds(self) -> int:
        """Rounded up: for fields of Kubernetes that take whole seconds."""
        return -(-self.microseconds // 1_000_000)

    def __str__(self) -> str:
        rest, text = self.microseconds, ""
        for unit, size in _MICROSECONDS.items():
            count, rest = divmod(rest, size)
            text += f"{count}{unit}" if count else ""
        return text or "0s"


_BYTES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BYTES |= {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


@dataclass(frozen=True, order=True)
class Memory(Written):
    """An amount of memory or storage as Kubernetes writes it: ``512Mi``, ``8Gi``, ``100G``; kept in bytes."""

    bytes: int

    pattern = r"^[0-9]+(\.[0-9]+)?(k|M|G|T|Ki|Mi|Gi|Ti)$"
    examples: ClassVar[list[str | int | float]] = ["512Mi", "8Gi"]

    @classmethod
    def parse(cls, written: object) -> Self:
        allowed = "a number with Ki, Mi, Gi, Ti (powers of 1024) or k, M, G, T (powers of 1000)"
        if isinstance(written, int | float) and not isinstance(written, bool):
            raise refuse(
                "an amount of memory needs a unit",
                allowed=allowed,
                remedy=f"write {written}Gi or {written}Mi",
            )
        if not isinstance(written, str) or not (
            match := re.fullmatch(r"(\d+(?:\.\d+)?)(k|M|G|T|Ki|Mi|Gi|Ti)", written)
        ):
            near = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kKmMgGtT])i?[bB]?", str(written))
            remedy = f"write {near[1]}{near[2].upper()}i" if near else None
            raise refuse("not an amount of memory", allowed=allowed, remedy=remedy)
        total = Decimal(match[1]) * _BYTES[match[2]]
        if total < 1 or total > 2**60:
            raise refuse("an amount of memory out of range", allowed="1 byte to 1 EiB", remedy="check the unit")
        return cls(int(total))

    def __str__(self) -> str:
        whole = [(self.bytes // size, unit) for unit, size in _BYTES.items() if self.bytes % size == 0]
        count, unit = min(whole)
        return f"{count}{unit}"


@dataclass(frozen=True, order=True)
class Cpu(Written):
    """Processors as Kubernetes writes them: ``3``, ``0.5``, ``500m``; kept in thousandths."""

    millicores: int

    pattern = r"^([0-9]+(\.[0-9]{1,3})?|[0-9]+m)$"
    schema_type: ClassVar[list[str] | str] = ["string", "number"]
    examples: ClassVar[list[str | int | float]] = [3, 0.5, "500m"]

    @classmethod
    def parse(cls, written: object) -> Self:
        text = "" if isinstance(written, bool) else str(written)
        if not re.fullmatch(cls.pattern, text):
            raise refuse("not a number of processors", allowed="3, 0.5 or 500m (thousandths)")
        millicores = int(text[:-1]) if text.endswith("m") else round(float(text) * 1000)
        if not 0 < millicores <= 1_000_000:
            raise refuse("a number of processors out of range", allowed="1m to 1000")
        return cls(millicores)

    def __str__(self) -> str:
        return f"{self.millicores // 1000}" if self.millicores % 1000 == 0 else f"{self.millicores}m"


@dataclass(frozen=True)
class GpuModel:
    """A kind of accelerator: its CUDA compute capability, its memory, and the name Karpenter knows it by."""

    compute_capability: str
    memory_gib: int
    karpenter_name: str


GPU_MODELS = {
    "nvidia-t4": GpuModel("7.5", 16, "t4"),
    "nvidia-t4g": GpuModel("7.5", 16, "t4g"),
    "nvidia-v100": GpuModel("7.0", 16, "v100"),
    "nvidia-a10g": GpuModel("8.6", 24, "a10g"),
    "nvidia-a100": GpuModel("8.0", 40, "a100"),
    "nvidia-a100-80gb": GpuModel("8.0", 80, "a100"),
    "nvidia-l4": GpuModel("8.9", 24, "l4"),
    "nvidia-l40s": GpuModel("8.9", 48, "l40s"),
    "nvidia-h100": GpuModel("9.0", 80, "h100"),
    "nvidia-h200": GpuModel("9.0", 141, "h200"),
    "nvidia-b200": GpuModel("10.0", 180, "b200"),
}


@dataclass(frozen=True, order=True)
class Accelerator(Written):
    """Accelerators of one kind for each replica: ``nvidia-l4``, ``nvidia-l4:2``."""

    kind: str
    count: int = 1

    pattern = "^(" + "|".join(GPU_MODELS) + ")(:[1-9][0-9]?)?$"
    examples: ClassVar[list[str | int | float]] = ["nvidia-l4", "nvidia-l4:2"]

    @classmethod
    def parse(cls, written: object) -> Self:
        kind, colon, count = str(written).partition(":")
        if kind not in GPU_MODELS:
            known = {**{name: name for name in GPU_MODELS}, **{name[7:]: name for name in GPU_MODELS}}
            raise refuse(
                f"unknown accelerator {kind!r}",
                allowed=", ".join(GPU_MODELS),
                remedy=did_you_mean(known.get(kind.lower(), kind), GPU_MODELS),
            )
        if colon and not re.fullmatch(r"[1-9][0-9]?", count):
            raise refuse("not a number of accelerators", allowed="1 to 99 after the colon", remedy=f"write {kind}:2")
        return cls(kind, int(count or 1))

    @property
    def model(self) -> GpuModel:
        return GPU_MODELS[self.kind]

    def __str__(self) -> str:
        return self.kind if self.count == 1 else f"{self.kind}:{self.count}"
