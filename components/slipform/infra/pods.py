"""The pod of a server's container, as typed Kubernetes arguments: pure, so that it is read and tested apart."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes import core, meta

from ..engines.base import Container, Probe, Server
from ..spec.serving import Resources
from ..spec.units import Cpu, Memory
from .placement import GPU_RESOURCE, Placement
from .platform import VERSION_LABEL, Platform, selector
from .server_files import ServerFiles

ENDPOINT_DELAY = 10
"""Seconds between a pod's end being decided and its server being told: endpoints forget it in the meantime."""
GRACE = 5
"""Seconds that a pod has beyond what it was promised, before it is killed."""
SPREAD_OVER = ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
"""Replicas are spread over zones, then over nodes."""
CONFIG = "/etc/slipform"
"""The engine's files, from a ConfigMap."""
MODELS = "/models"
"""The model repository, filled by the fetching container."""
PROJECT = "/project"
"""Models that lie in the project itself, under the paths that their specs name."""


@dataclass(frozen=True)
class PodInputs:
    """What a pod needs beside its container: names of objects that other components make."""

    track: str
    files: ServerFiles
    service_account: pulumi.Input[str]
    placement: Placement


def pod_template(
    platform: Platform, server: Server, container: Container, inputs: PodInputs
) -> core.v1.PodTemplateSpecArgs:
    """The pods of a Deployment of ours."""
    labels = platform.labels(server.name, server.spec, "server") | pod_labels(server, inputs.track)
    return core.v1.PodTemplateSpecArgs(
        metadata=meta.v1.ObjectMetaArgs(labels=labels, annotations=pod_annotations(platform, container)),
        spec=pod_spec(platform, server, container, inputs),
    )


def pod_spec(
    platform: Platform, server: Server, container: Container, inputs: PodInputs, container_name: str = "server"
) -> core.v1.PodSpecArgs:
    """The pod: fetches its models, then serves them, as nobody in particular and with a root that can't be written."""
    return core.v1.PodSpecArgs(
        service_account_name=inputs.service_account,
        automount_service_account_token=False,
        enable_service_links=False,
        termination_grace_period_seconds=ENDPOINT_DELAY + container.drain_seconds + GRACE,
        security_context=core.v1.PodSecurityContextArgs(
            run_as_non_root=True,
            run_as_user=container.user,
            run_as_group=container.user,
            fs_group=container.user,
            seccomp_profile=core.v1.SeccompProfileArgs(type="RuntimeDefault"),
        ),
        image_pull_secrets=[core.v1.LocalObjectReferenceArgs(name=s) for s in platform.stack.images.pull_secrets],
        node_selector=inputs.placement.node_selector or None,
        tolerations=_tolerations(inputs.placement),
        topology_spread_constraints=_spread(server, inputs.track),
        init_containers=[_fetch(platform, server, inputs)] if _fetches(server) else None,
        containers=[_server(server, container, container_name)],
        volumes=_volumes(server.spec.serving.resources, container, inputs),
    )


def pod_labels(server: Server, track: str) -> dict[str, str]:
    """The labels that find the pods of one track, and the version that they serve."""
    return {**selector(server.name, track), VERSION_LABEL: str(server.models[0].version)}


def pod_annotations(platform: Platform, container: Container) -> dict[str, str] | None:
    """What the mesh has to know of the pods; None where there is no mesh."""
    if platform.stack.lacks("istio"):
        return None
    metrics = next((port.number for port in container.ports if port.name == "metrics"), None)
    # Prometheus scrapes without a mesh certificate; and a server must not accept before its proxy can answer.
    return {
        "proxy.istio.io/config": '{"holdApplicationUntilProxyStarts": true}',
        **({"traffic.sidecar.istio.io/excludeInboundPorts": str(metrics)} if metrics else {}),
    }


def _fetches(server: Server) -> bool:
    """A model may be in its server's own image."""
    return any(model.artifact is not None for model in server.models)


def _fetch(platform: Platform, server: Server, inputs: PodInputs) -> core.v1.ContainerArgs:
    """Fills the model repository; ends well at once where a restarted pod has it already."""
    credentials = next((m.spec.model.credentials for m in server.models if m.spec.model.credentials), None)
    secret = credentials.secret if credentials else None
    image = platform.stack.images.runtime
    assert image is not None, "review lets no stack without a runtime image pass"  # noqa: S101
    return core.v1.ContainerArgs(
        name="fetch",
        image=platform.stack.images.pulled(image),
        command=["slipform-runtime"],
        args=["fetch", f"--manifest={CONFIG}/repository.json", f"--to={MODELS}"],
        working_dir=PROJECT if inputs.files.project else None,
        env_from=[core.v1.EnvFromSourceArgs(secret_ref=core.v1.SecretEnvSourceArgs(name=secret))] if secret else None,
        resources=core.v1.ResourceRequirementsArgs(
            requests={"cpu": "250m", "memory": "256Mi"}, limits={"memory": "256Mi"}
        ),
        security_context=_locked_down(),
        volume_mounts=[
            _mount("config", CONFIG, read_only=True),
            _mount("models", MODELS),
            _mount("tmp", "/tmp"),  # noqa: S108
            *(
                _mount(_project_volume(index), f"{PROJECT}/{path}", read_only=True)
                for index, path in enumerate(sorted(inputs.files.project))
            ),
        ],
    )


def _server(server: Server, container: Container, name: str) -> core.v1.ContainerArgs:
    resources = server.spec.serving.resources
    shared = resources.shared_memory or container.shared_memory
    return core.v1.ContainerArgs(
        name=name,
        image=container.image,
        command=list(container.command) or None,
        args=list(container.args) or None,
        env=[core.v1.EnvVarArgs(name=name, value=value) for name, value in sorted(container.env.items())] or None,
        ports=[core.v1.ContainerPortArgs(name=port.name, container_port=port.number) for port in container.ports],
        resources=_resources(resources, container.cpu_limit),
        startup_probe=_probe(container.startup, container),
        readiness_probe=_probe(container.readiness, container),
        liveness_probe=_probe(container.liveness, container),
        lifecycle=_lifecycle(container),
        security_context=_locked_down(),
        volume_mounts=[
            _mount("config", CONFIG, read_only=True),
            _mount("models", MODELS, read_only=True),
            *(_mount(_writable_volume(path), path) for path in container.writable),
            *([_mount("shm", "/dev/shm")] if shared else []),  # noqa: S108
        ],
    )


def _resources(resources: Resources, cpu_limit: Cpu | None) -> core.v1.ResourceRequirementsArgs:
    """Memory and accelerators as limits too; processors only where the spec or the engine says so."""
    limit = resources.cpu_limit or cpu_limit
    gpus = {GPU_RESOURCE: str(resources.accelerator.count)} if resources.accelerator else {}
    return core.v1.ResourceRequirementsArgs(
        requests={"cpu": str(resources.cpu), "memory": str(resources.memory), **gpus},
        limits={"memory": str(resources.memory), **({"cpu": str(limit)} if limit else {}), **gpus},
    )


def _lifecycle(container: Container) -> core.v1.LifecycleArgs:
    """What happens before the server is told to stop; a wait is Kubernetes' own, which needs no shell in the image."""
    seconds = ENDPOINT_DELAY + (0 if container.drains else container.drain_seconds)
    if container.pre_stop:
        command = ["/bin/sh", "-c", f"sleep {seconds}; exec {shlex.join(container.pre_stop)}"]
        handler = core.v1.LifecycleHandlerArgs(exec_=core.v1.ExecActionArgs(command=command))
    else:
        handler = core.v1.LifecycleHandlerArgs(sleep=core.v1.SleepActionArgs(seconds=seconds))
    return core.v1.LifecycleArgs(pre_stop=handler)


def _probe(probe: Probe, container: Container) -> core.v1.ProbeArgs:
    action: dict[str, object] = {}
    if probe.command:
        action["exec_"] = core.v1.ExecActionArgs(command=list(probe.command))
    elif probe.grpc:
        # Kubernetes takes a port's name for the other probes, and only its number for this one.
        action["grpc"] = core.v1.GRPCActionArgs(port=container.number_of("grpc"))
    elif probe.path:
        action["http_get"] = core.v1.HTTPGetActionArgs(path=probe.path, port=probe.port)
    else:
        action["tcp_socket"] = core.v1.TCPSocketActionArgs(port=probe.port)
    return core.v1.ProbeArgs(
        **action,  # type: ignore[arg-type]
        period_seconds=probe.period_seconds,
        timeout_seconds=probe.timeout_seconds,
        failure_threshold=probe.failure_threshold,
    )


def _locked_down() -> core.v1.SecurityContextArgs:
    return core.v1.SecurityContextArgs(
        allow_privilege_escalation=False,
        read_only_root_filesystem=True,
        capabilities=core.v1.CapabilitiesArgs(drop=["ALL"]),
    )


def _spread(server: Server, track: str) -> list[core.v1.TopologySpreadConstraintArgs]:
    """Over zones, then over nodes: as even as the machines allow, never in the way of a pod."""
    return [
        core.v1.TopologySpreadConstraintArgs(
            max_skew=1,
            topology_key=key,
            when_unsatisfiable="ScheduleAnyway",
            label_selector=meta.v1.LabelSelectorArgs(match_labels=selector(server.name, track)),
            match_label_keys=["pod-template-hash"],
        )
        for key in SPREAD_OVER
    ]


def _tolerations(placement: Placement) -> Sequence[core.v1.TolerationArgs] | None:
    return [
        core.v1.TolerationArgs(key=t.key, operator=t.operator, value=t.value, effect=t.effect)
        for t in placement.tolerations
    ] or None


def _volumes(resources: Resources, container: Container, inputs: PodInputs) -> list[core.v1.VolumeArgs]:
    shared = resources.shared_memory or container.shared_memory
    config = core.v1.ConfigMapVolumeSourceArgs(name=inputs.files.config)
    writable = {_writable_volume(path) for path in container.writable} | {"tmp"}
    return [
        core.v1.VolumeArgs(name="config", config_map=config),
        core.v1.VolumeArgs(name="models", empty_dir=core.v1.EmptyDirVolumeSourceArgs()),
        *(core.v1.VolumeArgs(name=name, empty_dir=core.v1.EmptyDirVolumeSourceArgs()) for name in sorted(writable)),
        *([_memory_volume("shm", shared)] if shared else []),
        *(
            core.v1.VolumeArgs(
                name=_project_volume(index),
                config_map=core.v1.ConfigMapVolumeSourceArgs(name=inputs.files.project[path]),
            )
            for index, path in enumerate(sorted(inputs.files.project))
        ),
    ]


def _memory_volume(name: str, size: Memory) -> core.v1.VolumeArgs:
    source = core.v1.EmptyDirVolumeSourceArgs(medium="Memory", size_limit=str(size))
    return core.v1.VolumeArgs(name=name, empty_dir=source)


def _mount(name: str, path: str, *, read_only: bool | None = None) -> core.v1.VolumeMountArgs:
    return core.v1.VolumeMountArgs(name=name, mount_path=path, read_only=read_only)


def _writable_volume(path: str) -> str:
    """A volume's name for a path: ``/opt/mlserver/.cache`` is opt-mlserver-cache."""
    return "-".join(part.strip(".").replace("_", "-").lower() for part in path.split("/") if part.strip("."))


def _project_volume(index: int) -> str:
    return f"project-{index}"
