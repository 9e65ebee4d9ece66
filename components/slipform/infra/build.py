"""EngineBuild: one version of a model, turned into an engine on the machines that will serve it."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes import batch, core, meta

from ..engines.artifact import build_key, built_artifact
from ..engines.build_manifest import MANIFEST, TIME_LIMIT, build_image, build_manifest
from ..spec.modelspec import ModelSpec
from ..spec.units import Memory
from .identity import WorkloadIdentity, WorkloadIdentityArgs, built_uris, existing_account, written_uris
from .placement import GPU_RESOURCE, Placement
from .platform import VERSION_LABEL, Platform

CONFIG = "/etc/slipform"
"""The manifest, from a ConfigMap."""
WORK = "/tmp"  # noqa: S108  (a path in the container)
"""The only place that the build can write to: the fetched model, the engine before it is sent."""
USER = 1000

RETRIES = 3
"""Of what may pass: a store that can't be reached. A machine that is taken away doesn't count."""
HEAVY_FORMATS = frozenset({"pytorch", "torchscript", "tensorflow", "keras", "mlflow"})
"""Their frameworks are larger than many a model and its server."""
FRAMEWORK_MEMORY = Memory.parse("4Gi")
"""What a build that begins with one of them gets at least."""
FINAL_EXIT_CODES = (1, 2, 4, 5)
"""A gate that was missed, a manifest that is wrong, another model than the pinned one, an image that lacks something:
another try would end in the same way. They are those of ``slipform-runtime build``."""


@dataclass(frozen=True)
class EngineBuildArgs:
    """Which version is built, and where."""

    platform: Platform
    spec: ModelSpec
    version: int
    placement: Placement
    """That of the server: an engine fits the GPU that it was built on."""


class EngineBuild(pulumi.ComponentResource):
    """A Job whose name is the build's key: what is changed is built anew, what is unchanged is not.

    It stays in the cluster when it is done, since a refresh that misses it would make it again; and where its result is
    in the stack's artifacts already, it ends well at once. What it was made with is past: other labels or images change
    nothing. One that failed for a reason outside the spec is made again by deleting it, and a refresh.
    """

    def __init__(self, name: str, args: EngineBuildArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipform:build:EngineBuild", name, {}, opts)
        self._name = name
        self._args = args
        self._key = build_key(args.spec, args.version, args.platform.stack)
        # Not the server's own name: its Service must not find the build's pod.
        self._labels = {
            **args.platform.labels(f"{args.spec.server}-build", args.spec, "build"),
            "app.kubernetes.io/part-of": args.spec.server,
        }

        self.identity = self._create_identity()
        self._config = self._create_config()
        self._job = self._create_job()
        self.register_outputs({"artifactUri": self.artifact_uri, "jobName": self.job_name})

    @property
    def artifact_uri(self) -> pulumi.Output[str]:
        """The folder of the built versions (``built_artifact``'s); known when the build has passed its gates."""
        artifact = built_artifact(self._args.spec, self._args.version, self._args.platform.stack)
        return self._job.metadata.apply(lambda _: artifact.uri)

    @property
    def job_name(self) -> str:
        """The Job's name in the cluster: ``<model>-build-<key>``."""
        return f"{self._args.spec.name}-build-{self._key}"

    @property
    def _metadata(self) -> meta.v1.ObjectMetaArgs:
        return meta.v1.ObjectMetaArgs(
            name=self.job_name, namespace=self._args.platform.namespace, labels=self._version_labels
        )

    @property
    def _version_labels(self) -> dict[str, str]:
        return {**self._labels, VERSION_LABEL: str(self._args.version)}

    def _create_identity(self) -> WorkloadIdentity:
        spec, platform = self._args.spec, self._args.platform
        return WorkloadIdentity(
            self._name,
            WorkloadIdentityArgs(
                platform=platform,
                service_account=self._name,
                labels=self._labels,
                reads=built_uris(spec),
                writes=written_uris(spec, platform.stack),
                existing=existing_account([spec]),
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _create_config(self) -> core.v1.ConfigMap:
        manifest = build_manifest(self._args.spec, self._args.version, self._args.platform.stack)
        return core.v1.ConfigMap(
            self.job_name,
            metadata=self._metadata,
            data={MANIFEST: manifest},
            immutable=True,
            opts=self._args.platform.options(self, ignore_changes=["metadata.labels", "data"]),
        )

    def _create_job(self) -> batch.v1.Job:
        limit = TIME_LIMIT.whole_seconds()
        return batch.v1.Job(
            # Pulumi's name for it too: another build is another Job beside this one, and not its replacement; and a
            # candidate that becomes the stable version keeps its own.
            self.job_name,
            metadata=self._metadata,
            spec=batch.v1.JobSpecArgs(
                backoff_limit=RETRIES,
                active_deadline_seconds=limit,
                pod_failure_policy=self._failure_policy(),
                template=core.v1.PodTemplateSpecArgs(
                    metadata=meta.v1.ObjectMetaArgs(
                        labels={**self._version_labels, **self._outside_the_mesh()},
                        # Half a build is worth nothing: a node that is to be emptied waits for it.
                        annotations={
                            "karpenter.sh/do-not-disrupt": "true",
                            "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
                        },
                    ),
                    spec=self._pod(),
                ),
            ),
            opts=self._args.platform.options(
                self,
                # A Job's template can't be changed, and to make the Job again for a label would cost a GPU's time.
                ignore_changes=["metadata.labels", "spec"],
                custom_timeouts=pulumi.CustomTimeouts(create=f"{limit + 300}s", update=f"{limit + 300}s"),
            ),
        )

    def _failure_policy(self) -> batch.v1.PodFailurePolicyArgs:
        return batch.v1.PodFailurePolicyArgs(
            rules=[
                batch.v1.PodFailurePolicyRuleArgs(
                    action="FailJob",
                    on_exit_codes=batch.v1.PodFailurePolicyOnExitCodesRequirementArgs(
                        container_name="build", operator="In", values=list(FINAL_EXIT_CODES)
                    ),
                ),
                batch.v1.PodFailurePolicyRuleArgs(
                    action="Ignore",
                    on_pod_conditions=[
                        batch.v1.PodFailurePolicyOnPodConditionsPatternArgs(type="DisruptionTarget", status="True")
                    ],
                ),
            ]
        )

    def _outside_the_mesh(self) -> dict[str, str]:
        """A sidecar that goes on running would keep the Job from ending."""
        return {} if self._args.platform.stack.lacks("istio") else {"sidecar.istio.io/inject": "false"}

    def _pod(self) -> core.v1.PodSpecArgs:
        platform, placement = self._args.platform, self._args.placement
        pull_secrets = [core.v1.LocalObjectReferenceArgs(name=name) for name in platform.stack.images.pull_secrets]
        tolerations = [
            core.v1.TolerationArgs(key=t.key, operator=t.operator, value=t.value, effect=t.effect)
            for t in placement.tolerations
        ]
        return core.v1.PodSpecArgs(
            restart_policy="Never",
            service_account_name=self.identity.service_account_name,
            automount_service_account_token=False,
            enable_service_links=False,
            security_context=core.v1.PodSecurityContextArgs(
                run_as_non_root=True,
                run_as_user=USER,
                run_as_group=USER,
                fs_group=USER,
                seccomp_profile=core.v1.SeccompProfileArgs(type="RuntimeDefault"),
            ),
            image_pull_secrets=pull_secrets or None,
            node_selector=dict(placement.node_selector) or None,
            tolerations=tolerations or None,
            containers=[self._container()],
            volumes=[
                core.v1.VolumeArgs(
                    name="config",
                    config_map=core.v1.ConfigMapVolumeSourceArgs(name=self._config.metadata.name.apply(str)),
                ),
                core.v1.VolumeArgs(name="work", empty_dir=core.v1.EmptyDirVolumeSourceArgs()),
            ],
        )

    def _container(self) -> core.v1.ContainerArgs:
        spec = self._args.spec
        secret = spec.model.credentials.secret if spec.model.credentials else None
        return core.v1.ContainerArgs(
            name="build",
            image=build_image(spec, self._args.platform.stack),
            command=["slipform-runtime"],
            args=["build", f"--manifest={CONFIG}/{MANIFEST}"],
            env=[core.v1.EnvVarArgs(name="HOME", value=WORK)],
            env_from=[core.v1.EnvFromSourceArgs(secret_ref=core.v1.SecretEnvSourceArgs(name=secret))]
            if secret
            else None,
            resources=self._resources(),
            security_context=core.v1.SecurityContextArgs(
                allow_privilege_escalation=False,
                read_only_root_filesystem=True,
                capabilities=core.v1.CapabilitiesArgs(drop=["ALL"]),
            ),
            volume_mounts=[
                core.v1.VolumeMountArgs(name="config", mount_path=CONFIG, read_only=True),
                core.v1.VolumeMountArgs(name="work", mount_path=WORK),
            ],
        )

    def _resources(self) -> core.v1.ResourceRequirementsArgs:
        """As much as a replica has, so that it fits the same machine, or what reading the model takes; of its GPUs one,
        where a GPU tunes the engine."""
        resources, build = self._args.spec.serving.resources, self._args.spec.build
        heavy = self._args.spec.model.format in HEAVY_FORMATS
        memory = max(resources.memory, FRAMEWORK_MEMORY, key=lambda size: size.bytes) if heavy else resources.memory
        gpu = {GPU_RESOURCE: "1"} if resources.accelerator and build and build.target == "tensorrt" else {}
        return core.v1.ResourceRequirementsArgs(
            requests={"cpu": str(resources.cpu), "memory": str(memory), **gpu},
            limits={"memory": str(memory), **gpu},
        )
