"""The words of a spec: constrained scalars and the base of every part, one line each where one line does."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from .units import refuse

T = TypeVar("T")


class Part(BaseModel):
    """A mapping of a spec: immutable, strictly typed, and an unknown key is an error."""

    # A part's validator is built when it is first needed: most are needed only as a piece of the whole spec's.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=True, defer_build=True)


Many = Annotated[tuple[T, ...], Field(strict=False)]
"""A YAML list; kept as a tuple."""


def _dns_label(value: str) -> str:
    """RFC 1123, as Kubernetes takes it for the name of a Service."""
    if not re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", value):
        fixed = re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-").lstrip("0123456789-")
        raise refuse(
            "not a name that Kubernetes takes",
            allowed="lower-case letters, digits and '-', a letter first, no '-' at the end",
            remedy=f"write {fixed}" if fixed else None,
        )
    return value


def _label_value(value: str) -> str:
    if not re.fullmatch(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?", value):
        raise refuse(
            "not a value that a Kubernetes label takes",
            allowed="at most 63 letters, digits, '-', '_' and '.', a letter or digit at both ends",
        )
    return value


def _label_key(value: str) -> str:
    prefix, slash, name = value.rpartition("/")
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", name) or (
        slash and not re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", prefix)
    ):
        raise refuse(
            "not a key that a Kubernetes label takes",
            allowed="[prefix/]name, such as team or example.com/team",
        )
    return value


def _tensor_name(value: str) -> str:
    if not value or len(value) > 256 or not value.isprintable():
        raise refuse("not a tensor's name", allowed="1 to 256 printable characters")
    return value


def _version(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"[1-9][0-9]*", value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise refuse("not a version", allowed="a whole number from 1, as Triton numbers version folders")
    return value


def _relative_path(value: str) -> str:
    if value.startswith(("/", "~")) or ".." in value.split("/") or not value:
        raise refuse(
            "not a path inside the project",
            allowed="a path relative to the folder of Pulumi.yaml, without '..'",
        )
    return value


MAX_NAME = 40
"""Kubernetes allows 63 characters; the rest is for what is appended: ``-candidate``, ``-scaling``, a hash."""

Name = Annotated[str, AfterValidator(_dns_label), Field(max_length=MAX_NAME)]
ResourceName = Annotated[str, AfterValidator(_dns_label), Field(max_length=63)]
LabelKey = Annotated[str, AfterValidator(_label_key)]
LabelValue = Annotated[str, AfterValidator(_label_value)]
TensorName = Annotated[str, AfterValidator(_tensor_name)]
Version = Annotated[
    int,
    BeforeValidator(_version, json_schema_input_type=int | Annotated[str, Field(pattern="^[1-9][0-9]*$")]),
    Field(ge=1, lt=2**63),
]
SHA256 = r"^[0-9a-f]{64}$"
Sha256 = Annotated[str, Field(pattern=SHA256)]
RelativePath = Annotated[str, AfterValidator(_relative_path)]
Count = Annotated[int, Field(ge=1)]
Percent = Annotated[int, Field(ge=1, le=100)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Dtype = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
    "FP16", "BF16", "FP32", "FP64", "BYTES",
]  # fmt: skip
"""The Open Inference Protocol's names of element types."""
