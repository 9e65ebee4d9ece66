"""`report.json`: what was built, how good it is, and from what. Its schema is `report.schema.json` beside this file."""

from inspect import cleandoc
from pathlib import Path
from typing import Any, Literal

import msgspec

from slipform_runtime.build.errors import BadInput
from slipform_runtime.build.gates import Gate
from slipform_runtime.build.proof.accuracy import OutputAccuracy
from slipform_runtime.build.proof.footprint import Footprint
from slipform_runtime.build.proof.latency import BatchTiming
from slipform_runtime.build.provenance import Provenance
from slipform_runtime.build.pruning.prune import Pruned

FORMAT: Literal["slipform.build/v1"] = "slipform.build/v1"
REPORT = "report.json"
SCHEMA = Path(__file__).with_name("report.schema.json")


class SourceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The model that was given; `sha256` is the file's, or the folder's by its sorted `<sha256>  <path>` lines."""

    uri: str
    format: str
    sha256: str
    size_bytes: int


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two models; `device` is where it executed."""

    device: str
    footprint: Footprint


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file."""

    format: Literal["slipform.build/v1"] = FORMAT
    name: str
    version: int
    key: str
    target: str
    precision: str
    passed: bool
    """Whether every gate was; an artefact is only ever written where this is true."""

    gates: list[Gate]
    pruning: Pruned | None = None
    steps: list[str]
    samples: str
    """Where the inputs of the comparison come from."""

    accuracy: list[OutputAccuracy]
    latency: list[BatchTiming]
    tuned_batch_size: int
    """The batch size whose latency the gates look at."""

    original: Measured
    built: Measured
    source: SourceFacts
    files: dict[str, str]
    """The sha256 of each file of the artefact, by its path beside this one."""

    provenance: Provenance


def encoded(report: Report) -> bytes:
    """The file's bytes."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def read_report(data: bytes, where: str) -> Report:
    """The report in `data`; raises BadInput."""
    try:
        return msgspec.json.decode(data, type=Report)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{where} is no report of this version of slipform-runtime: {error}") from error


def schema() -> dict[str, Any]:
    """The JSON Schema of the file."""
    made = msgspec.json.schema(Report)
    for part in made["$defs"].values():
        part["description"] = cleandoc(part["description"])  # which Python does itself from 3.13 on
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "slipform build report", **made}


if __name__ == "__main__":
    SCHEMA.write_bytes(msgspec.json.format(msgspec.json.encode(schema()), indent=2) + b"\n")
