"""What servers written in Python share: processes instead of instances, REST alone, a batch only where their code says.

They run in images of the user's, who knows what the model imports.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..spec.findings import Finding
from ..spec.modelspec import ModelSpec
from . import checks, lacking
from .base import Engine, Probe, Probes

KEEP_ALIVE_SECONDS = 3660
"""A connection without requests is kept for longer than Envoy's hour: closed by the server, it may meet a request that
the mesh has just sent."""

SERVER = lacking.Feature(
    ("serving", "server"), "server that several models share", "remove it: each model has a server of its own"
)
LACKING = (lacking.ENSEMBLES, lacking.CACHE, lacking.CUDA_GRAPHS, lacking.HANDLER, SERVER)


def probes(spec: ModelSpec, ready: str, alive: str) -> Probes:
    """By HTTP, since a port may be open before the model is loaded; alive is what answers at all within a minute.

    Python code that holds the interpreter for long makes every answer of its process wait.
    """
    return Probes(
        startup=Probe(path=ready).lasting(spec.serving.startup_timeout),
        readiness=Probe(path=ready, timeout_seconds=5),
        liveness=Probe(path=alive, period_seconds=10, timeout_seconds=5, failure_threshold=6),
    )


def threads(spec: ModelSpec, processes: int) -> int:
    """Of the numeric libraries, for each process: without a limit a pod sees all processors of its node."""
    resources = spec.serving.resources
    return max(1, (resources.cpu_limit or resources.cpu).millicores // 1000 // processes)


def problems(
    spec: ModelSpec, engine: Engine, exports: Mapping[str, str], no_build: str, folder: str
) -> Iterator[Finding]:
    """What is wrong with a spec for any of them.

    ``exports`` say how a format becomes one that the engine serves, ``no_build`` what to do without a build, and
    ``folder`` what to name in place of a file.
    """
    ways = dict.fromkeys(("onnx", "openvino", "tensorrt"), no_build) if spec.build else exports
    yield from checks.serves_the_format(spec, engine.title, engine.formats, ways)
    yield from lacking.problems(spec, engine.title, LACKING)
    yield from _speaks_rest_alone(spec, engine.title)
    yield from _does_without(spec, engine.title)
    yield from checks.is_a_folder(spec, engine.title, folder)


def _speaks_rest_alone(spec: ModelSpec, title: str) -> Iterator[Finding]:
    """Left open, ``protocols`` means what the engine speaks."""
    serving = spec.serving
    if "protocols" in serving.model_fields_set and "grpc" in serving.protocols:
        yield Finding(
            f"{title} speaks no gRPC",
            path=("serving", "protocols"),
            given=", ".join(serving.protocols),
            allowed="rest",
            remedy="write protocols: [rest], or engine: triton or fastapi",
        )


def _does_without(spec: ModelSpec, title: str) -> Iterator[Finding]:
    """What is asked for and changes nothing here."""
    serving = spec.serving
    if "warmup" in serving.model_fields_set and serving.warmup:
        yield Finding(
            f"{title} runs no model before it is asked: the first requests take longer",
            path=("serving", "warmup"),
            severity="warning",
            given="true",
            remedy="remove it; a model may warm itself up while it is loaded",
        )
    if "request_limit" in serving.model_fields_set:
        yield Finding(
            f"{title} has no limit on the size of a request",
            path=("serving", "request_limit"),
            severity="warning",
            given=str(serving.request_limit),
            remedy="remove it",
        )
    yield from checks.has_no_labels(
        spec,
        f"{title} answers what the model's code returns",
        "remove them, or answer with them in the model's code",
    )
