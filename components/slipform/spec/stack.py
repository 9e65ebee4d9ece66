"""Stack config: everything that a stack decides, under ``slipform:`` in ``stacks/Pulumi.<stack>.yaml``."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from .cost import Cost
from .model import Uri
from .nodes import NodePool
from .policy import Policy
from .units import refuse
from .vocabulary import LabelKey, LabelValue, Many, Name, Part, ResourceName

Capability = Literal[
    "istio", "prometheus-operator", "prometheus-adapter", "keda", "karpenter", "argo-rollouts",
    "cluster-autoscaler", "gpu-device-plugin", "dcgm-exporter", "grafana", "metrics-server", "network-policy",
    "kserve",
]  # fmt: skip


_NAME, _TAG = r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+", r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"


def _image(value: str) -> str:
    if not re.fullmatch(rf"{_NAME}{_TAG}@sha256:[0-9a-f]{{64}}", value):
        raise refuse(
            "not an image by digest",
            allowed="registry/name@sha256:<64 hexadecimal digits>, or registry/name:tag@sha256:…",
            remedy="a tag can be moved; `slipform pin` asks the registry for the digest and writes it",
        )
    return value


Image = Annotated[str, AfterValidator(_image)]


TensorRTVersion = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+){1,3}$")]


class Aws(Part):
    """The EKS cluster, named here so that a preview needs no account."""

    account: Annotated[str, Field(pattern=r"^[0-9]{12}$")] = Field(
        description="The account's number, quoted.", examples=["123456789012"]
    )
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")] = Field(
        description="The region.", examples=["eu-west-1"]
    )
    cluster_name: Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z_-]{0,99}$")] = Field(
        description="The EKS cluster.", examples=["models-prod"]
    )
    oidc_provider: Annotated[str, Field(pattern=r"^oidc\.eks\.[a-z0-9-]+\.amazonaws\.com/id/[0-9A-F]{32}$")] | None = (
        Field(
            default=None,
            description="The cluster's OIDC issuer without https://: lets pods take on a role.",
            examples=["oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"],
        )
    )
    subnets: Many[Annotated[str, Field(pattern=r"^subnet-[0-9a-f]{8,17}$")]] = Field(
        default=(),
        description="Subnets of the nodes; absent, for Karpenter: those tagged karpenter.sh/discovery: <cluster_name>.",
        examples=[["subnet-0a1b2c3d4e5f60718"]],
    )
    security_groups: Many[Annotated[str, Field(pattern=r"^sg-[0-9a-f]{8,17}$")]] = Field(
        default=(),
        description="Security groups of Karpenter's nodes; absent: those with the tag that its subnets have.",
        examples=[["sg-0a1b2c3d4e5f60718"]],
    )
    karpenter_node_role: Annotated[str, Field(pattern=r"^[0-9A-Za-z_+=,.@-]{1,64}$")] | None = Field(
        default=None,
        description="The role of Karpenter's nodes, which the cluster lets in and Karpenter may pass on; "
        "absent: KarpenterNodeRole-<cluster_name>, as Karpenter's own guide names it.",
        examples=["KarpenterNodeRole-models-prod"],
    )
    permissions_boundary: Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:policy/.+$")] | None = Field(
        default=None,
        description="A policy that bounds every role that is made.",
        examples=["arn:aws:iam::123456789012:policy/boundary"],
    )


class Cluster(Part):
    """The one cluster of the stack, never the ambient context."""

    context: str | None = Field(
        default=None, min_length=1, description="A context of the kubeconfig.", examples=["kind-dev"]
    )
    kubeconfig: str | None = Field(
        default=None,
        min_length=1,
        description="A kubeconfig file; absent: the one that kubectl uses.",
        examples=["~/.kube/prod.yaml"],
    )
    namespace: ResourceName = Field(description="Where the models live.", examples=["models"])
    create_namespace: bool = Field(default=False, description="Make the namespace as well.", examples=[True])
    aws: Aws | None = Field(
        default=None,
        description="The EKS cluster; needed for node pools that are made and for roles of pods.",
        examples=[{"account": "123456789012", "region": "eu-west-1", "cluster_name": "models-prod"}],
    )

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.context is None and self.kubeconfig is None:
            raise refuse(
                "no cluster is named",
                allowed="context, kubeconfig, or both",
                remedy="add context: NAME; `kubectl config get-contexts` lists them",
            )
        return self


class Images(Part):
    """Images by digest; there is no default that could fail to be pulled."""

    runtime: Image | None = Field(
        default=None,
        description="The bundled runtime's image: serves engine fastapi, fetches and builds models for every engine.",
        examples=[
            "registry.example.com/slipform-runtime@sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
        ],
    )
    runtime_gpu: Image | None = Field(
        default=None,
        description="The same for GPUs, with TensorRT: builds engines.",
        examples=[
            "registry.example.com/slipform-runtime-gpu@sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
        ],
    )
    runtime_imports: Image | None = Field(
        default=None,
        description="The same with the frameworks that read models other than ONNX (target imports of its Dockerfile): "
        "builds those; absent: runtime builds them.",
        examples=[
            "registry.example.com/slipform-runtime-imports@sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
        ],
    )
    triton: Image | None = Field(
        default=None,
        description="Triton's image.",
        examples=[
            "nvcr.io/nvidia/tritonserver@sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
        ],
    )
    tfserving: Image | None = Field(
        default=None,
        description="TensorFlow Serving's image.",
        examples=[
            "docker.io/tensorflow/serving@sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
        ],
    )
    tfserving_gpu: Image | None = Field(
        default=None,
        description="The same for GPUs.",
        examples=[
            "docker.io/tensorflow/serving@sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
        ],
    )
    torchserve: Image | None = Field(
        default=None,
        description="TorchServe's image.",
        examples=[
            "docker.io/pytorch/torchserve@sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
        ],
    )
    torchserve_gpu: Image | None = Field(
        default=None,
        description="The same for GPUs.",
        examples=[
            "docker.io/pytorch/torchserve@sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
        ],
    )
    mlflow: Image | None = Field(
        default=None,
        description="An image of your own that holds MLflow and what the models import; serving.image names one for a "
        "single model.",
        examples=[
            "registry.example.com/mlflow@sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
        ],
    )
    bentoml: Image | None = Field(
        default=None,
        description="An image of your own that holds BentoML and what the bentos import; serving.image names one for a "
        "single bento.",
        examples=[
            "registry.example.com/bentoml@sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
        ],
    )
    triton_release: Annotated[str, Field(pattern=r"^[0-9]{2}\.[0-9]{2}$")] = Field(
        default="26.08",
        description="The release in Triton's image, which a digest hides; its TensorRT and metrics depend on it.",
        examples=["26.08"],
    )
    triton_tensorrt: TensorRTVersion | None = Field(
        default=None,
        description="The TensorRT in Triton's image, as its release notes say; "
        "given with runtime_gpu_tensorrt, engines that Triton could not load are refused before they are built.",
        examples=["10.13.2"],
    )
    runtime_gpu_tensorrt: TensorRTVersion | None = Field(
        default=None,
        description="The TensorRT in runtime_gpu, which builds: `slipform-runtime build` says it in each report.",
        examples=["10.13.2"],
    )
    pull_secrets: Many[ResourceName] = Field(
        default=(), description="Secrets for the registry.", examples=[["registry"]]
    )
    mirror: Annotated[str, Field(pattern=r"^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)*$")] | None = Field(
        default=None,
        description="A registry that stands before every image's name.",
        examples=["mirror.example.com/cache"],
    )

    def pulled(self, image: str) -> str:
        """The image's name with the mirror before it."""
        return f"{self.mirror}/{image}" if self.mirror else image


IMAGES = (
    "runtime", "runtime_gpu", "runtime_imports", "triton", "tfserving", "tfserving_gpu", "torchserve", "torchserve_gpu",
    "mlflow", "bentoml",
)  # fmt: skip
"""Fields of ``Images`` that are images."""


class Artifacts(Part):
    """Where built engines go."""

    uri: Uri = Field(description="A bucket or folder that the build may write.", examples=["s3://models-engines/prod"])


class Gateway(Part):
    """How models get an address outside the cluster."""

    name: ResourceName | None = Field(
        default=None,
        description="An existing Istio Gateway in that namespace; absent: one is made for each exposed model.",
        examples=["public"],
    )
    namespace: ResourceName = Field(
        default="istio-system",
        description="The gateway's namespace, which also holds its certificates.",
        examples=["istio-system"],
    )
    selector: dict[LabelKey, LabelValue] = Field(
        default={"istio": "ingressgateway"},
        description="Labels of the gateway's pods.",
        examples=[{"istio": "ingressgateway"}],
    )
    tls_secret: ResourceName | None = Field(
        default=None, description="The certificate of hosts that name none.", examples=["models-tls"]
    )
    jwt_issuer: Annotated[str, Field(pattern=r"^https://\S+$")] | None = Field(
        default=None,
        description="Who signs the tokens of auth: jwt.",
        examples=["https://login.example.com/"],
    )
    jwks_uri: Annotated[str, Field(pattern=r"^https://\S+$")] | None = Field(
        default=None,
        description="Where its keys are; absent: found through the issuer.",
        examples=["https://login.example.com/keys"],
    )
    jwt_audiences: Many[Annotated[str, Field(min_length=1)]] = Field(
        default=(),
        description="Whom a token of auth: jwt must be meant for; absent: any token of the issuer is good.",
        examples=[["models.example.com"]],
    )


class Prometheus(Part):
    """The Prometheus that scrapes the models."""

    address: Annotated[str, Field(pattern=r"^https?://[^\s/]+(/\S*)?$")] = Field(
        default="http://prometheus-operated.monitoring.svc:9090",
        description="Its address inside the cluster: KEDA and the analysis of rollouts ask it.",
        examples=["http://prometheus-operated.monitoring.svc:9090"],
    )
    namespace: ResourceName = Field(
        default="monitoring",
        description="Its namespace: the network policy lets it in.",
        examples=["monitoring"],
    )
    labels: dict[LabelKey, LabelValue] = Field(
        default={},
        description="Labels by which it selects ServiceMonitors and PrometheusRules.",
        examples=[{"release": "kube-prometheus-stack"}],
    )
    scrape_interval: Annotated[int, Field(ge=1, le=120)] = Field(
        default=15, description="Seconds between scrapes.", examples=[15]
    )


class Grafana(Part):
    """How the sidecar of Grafana's Helm chart finds dashboards; the defaults are those of kube-prometheus-stack."""

    labels: dict[LabelKey, LabelValue] = Field(
        default={"grafana_dashboard": "1"},
        min_length=1,
        description="Labels by which it selects ConfigMaps.",
        examples=[{"grafana_dashboard": "1"}],
    )
    annotations: dict[LabelKey, str] = Field(
        default={},
        description="Annotations of the ConfigMaps, such as the folder that the sidecar's folderAnnotation names.",
        examples=[{"grafana_folder": "Models"}],
    )


class StackConfig(Part):
    """What a stack decides; each field is a key ``slipform:<field>`` of its config."""

    cluster: Cluster = Field(description="The cluster.", examples=[{"context": "kind-dev", "namespace": "models"}])
    has: Many[Capability] = Field(
        default=(),
        description="What the cluster has; a part that needs something else is left out or refused.",
        examples=[["istio", "prometheus-operator", "prometheus-adapter"]],
    )
    images: Images = Field(default=Images(), description="Images by digest.", examples=[{"triton_release": "26.08"}])
    node_pools: dict[Name, NodePool] = Field(
        default={},
        description="Pools that models share by name.",
        examples=[{"gpu-l4": {"provisioner": "karpenter", "instance_types": ["g6.xlarge"]}}],
    )
    artifacts: Artifacts | None = Field(
        default=None, description="Where built engines go.", examples=[{"uri": "s3://models-engines/prod"}]
    )
    gateway: Gateway | None = Field(
        default=None,
        description="Addresses outside the cluster; absent: none.",
        examples=[{"tls_secret": "models-tls"}],
    )
    prometheus: Prometheus = Field(
        default=Prometheus(), description="Monitoring.", examples=[{"namespace": "monitoring"}]
    )
    grafana: Grafana = Field(
        default=Grafana(),
        description="Where dashboards go; made where `has` names grafana and prometheus-operator.",
        examples=[{"annotations": {"grafana_folder": "Models"}}],
    )
    cost: Cost = Field(
        default=Cost(), description="Prices and budget.", examples=[{"max_monthly": 5000, "max_increase": 500}]
    )
    policy: Policy = Field(
        default=Policy(),
        description="What the stack asks of every model.",
        examples=[{"owned": "error", "redundant": "error", "promised": "warning"}],
    )
    protected: bool = Field(
        default=False, description="Node pools and routes can't be deleted by mistake.", examples=[True]
    )
    model_specs: Many[str] = Field(
        default=("model_specs/*.yaml",),
        min_length=1,
        description="The specs of this stack, as patterns relative to the folder of Pulumi.yaml.",
        examples=[["model_specs/*.yaml"]],
    )
    labels: dict[LabelKey, LabelValue] = Field(
        default={}, description="Labels of everything in this stack.", examples=[{"environment": "prod"}]
    )

    def lacks(self, capability: Capability) -> bool:
        return capability not in self.has
