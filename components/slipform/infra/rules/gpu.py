"""What is recorded and alerted on about a server's GPUs, as NVIDIA's DCGM exporter measures them."""

from __future__ import annotations

from ...spec.units import Duration
from .kinds import Alert, Checked, Recording, series, steady, two_cases
from .server import Server

NEARLY_FULL = 0.9


def gpu_recordings(server: Server) -> tuple[Recording, ...]:
    """What is recorded about the GPUs, where the server has some and somebody measures them."""
    return (_gpu_memory(server),) if is_measured(server) else ()


def gpu_alerts(server: Server) -> tuple[Checked, ...]:
    """Alerts about the GPUs, where the server has some and somebody measures them."""
    return (_gpu_memory_full(server), _gpu_xid(server)) if is_measured(server) else ()


def is_measured(server: Server) -> bool:
    """Whether the server has GPUs and somebody measures them."""
    return server.spec.serving.resources.accelerator is not None and not server.stack.lacks("dcgm-exporter")


def _gpu_memory(server: Server) -> Recording:
    used, free = (by_pod(server, f"DCGM_FI_DEV_FB_{kind}") for kind in ("USED", "FREE"))
    return Recording("slipform:gpu_memory:ratio", f"{used} / ({used} + {free})", {"server": server.name})


def _gpu_memory_full(server: Server) -> Checked:
    lasting = Duration.parse("15m")
    recorded = series("slipform:gpu_memory:ratio", {"namespace": server.namespace, "server": server.name})
    alert = Alert(
        name="SlipformGpuMemoryNearLimit",
        expr=f"{recorded} > {NEARLY_FULL:g}",
        hold=Duration.parse("10m"),
        severity="ticket",
        labels=server.labels,
        summary=f"{server.name}: a GPU's memory is nearly full",
        description=f"VALUE of a GPU's memory is taken in a replica of {server.name}; the next allocation may fail.",
        remedy="Lower serving.instances or serving.batching.max_batch_size, or take an accelerator with more memory.",
        unit="percent",
    )
    return two_cases(
        alert,
        0.95,
        {**_dcgm(server, "FB_USED", 22800, lasting), **_dcgm(server, "FB_FREE", 1200, lasting)},
        {**_dcgm(server, "FB_USED", 12000, lasting), **_dcgm(server, "FB_FREE", 12000, lasting)},
        lasting,
        {"pod": server.pod, "gpu": "0"},
    )


def _gpu_xid(server: Server) -> Checked:
    """The gauge keeps the last error for good: what counts is that it changed."""
    lasting = Duration.parse("10m")
    xid = by_pod(server, "DCGM_FI_DEV_XID_ERRORS")
    changed = by_pod(server, "DCGM_FI_DEV_XID_ERRORS", "changes", "[15m]")
    alert = Alert(
        name="SlipformGpuXid",
        expr=f"{xid} > 0 and {changed} > 0",
        hold=Duration(0),
        severity="ticket",
        labels=server.labels,
        summary=f"{server.name}: the GPU's driver reports an error",
        description=f"XID VALUE on a GPU of a replica of {server.name}.",
        remedy=(
            "Look XID up in NVIDIA's list: 13, 31 and 43 come from the model's kernels, 48, 63, 64, 74, 79, 94 and 95 "
            "from the hardware: drain that node and have it replaced."
        ),
    )
    before, after = f"0+0x{10}", f"79+0x{10}"
    gauge = _dcgm_series(server, "XID_ERRORS")
    return two_cases(
        alert,
        79,
        {gauge: f"{before} {after}"},
        {gauge: "79+0x20"},
        lasting,
        {"pod": server.pod, "gpu": "0"},
    )


def by_pod(server: Server, metric: str, function: str = "", window: str = "") -> str:
    """A metric of DCGM's exporter by the GPU's user, which is ``exported_pod`` unless Prometheus honours labels."""
    exported, honoured = (
        f'{function}({metric}{{{prefix}namespace="{server.namespace}",{prefix}pod=~"{server.pods}"}}{window})'
        for prefix in ("exported_", "")
    )
    renamed = exported
    for label in ("namespace", "pod"):
        renamed = f'label_replace({renamed}, "{label}", "$1", "exported_{label}", "(.+)")'
    return f"max by (namespace, pod, gpu) ({renamed} or {honoured})"


def _dcgm_series(server: Server, metric: str) -> str:
    labels = {"gpu": "0", "namespace": "gpu-operator", "pod": "dcgm-exporter-x2v7q"}
    exported = {"exported_namespace": server.namespace, "exported_pod": server.pod}
    return series(f"DCGM_FI_DEV_{metric}", {**labels, **exported})


def _dcgm(server: Server, metric: str, value: float, lasting: Duration) -> dict[str, str]:
    return {_dcgm_series(server, metric): steady(value, lasting)}
