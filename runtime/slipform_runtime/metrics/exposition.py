"""Prometheus' text format: every metric is a view of the same counters, made when it is asked for.

Models are taken from the repository, so no name that a client invents becomes a label.
"""

from time import monotonic
from typing import TYPE_CHECKING

from slipform_runtime.metrics.catalogue import METRICS, MODEL_METRICS
from slipform_runtime.metrics.gpu import used_megabytes
from slipform_runtime.metrics.process import process_lines
from slipform_runtime.repository.served import ServedVersion

if TYPE_CHECKING:
    from slipform_runtime.dataplane import DataPlane

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


def expose(plane: "DataPlane") -> str:
    """The metrics of every version that serves."""
    versions = plane.repository.all_versions()
    now = monotonic()
    lines: list[str] = []
    for metric in METRICS:
        lines.append(f"# HELP {metric.name} {metric.help}")
        lines.append(f"# TYPE {metric.name} {metric.kind}")
        for served in versions:
            own = dict(zip(metric.labels, (served.name, served.version), strict=True))
            lines += [
                f"{metric.name}{suffix}{_labels({**own, **labels})} {_number(value)}"
                for suffix, labels, value in metric.read(served, now)
            ]
    for name, (meaning, count) in MODEL_METRICS.items():
        lines += [f"# HELP {name} {meaning}", f"# TYPE {name} counter"]
        for model in sorted(plane.repository.models):
            lines.append(f"{name}{_labels({'model': model})} {count(plane.repository.models[model])}")
    lines += _server_lines(plane, versions, now)
    lines += process_lines()
    return "\n".join(lines) + "\n"


def _labels(labels: dict[str, str]) -> str:
    escaped = (
        f'{name}="{value}"' if value.isalnum() else f'{name}="{_escape(value)}"' for name, value in labels.items()
    )
    return "{" + ",".join(escaped) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _server_lines(plane: "DataPlane", versions: list[ServedVersion], now: float) -> list[str]:
    rate = sum(served.statistics.requests_per_second(now) for served in versions)
    lines = [
        "# HELP requests_per_second Requests of all models that ended, a second, over the last 10 seconds.",
        "# TYPE requests_per_second gauge",
        f"requests_per_second {_number(rate)}",
    ]
    if memory := used_megabytes():
        lines += ["# HELP gpu_memory_used_mb Memory in use on the GPU, by all.", "# TYPE gpu_memory_used_mb gauge"]
        lines += [f"gpu_memory_used_mb{_labels({'gpu': gpu})} {_number(used)}" for gpu, used in memory.items()]
    return lines
