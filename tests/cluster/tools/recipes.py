"""Every tool and every set of CustomResourceDefinitions, at its pinned version. Adding one is adding a row."""

from tests.cluster.tools.crd_kinds import CrdFiles, GeneratedCrds
from tests.cluster.tools.golang import Module
from tests.cluster.tools.kinds import DebianProgram, GoProgram, ModuleFile, OldGoProgram, Recipe

KUBERNETES = Module(
    "k8s.io/kubernetes", "v1.35.4", "h1:o/8dBC/pHVpYoGV4OAIytAlNPZbdYVTXJHoYvXC4qzM=", siblings="v0.35.4"
)
KUBERNETES_VERSION = " ".join(
    f"-X k8s.io/component-base/version.{variable}={value}"
    for variable, value in {"gitVersion": "v1.35.4", "gitMajor": "1", "gitMinor": "35"}.items()
)
KWOK = Module("sigs.k8s.io/kwok", "v0.7.0", "h1:+eGsNOIPapjsSzeZlOEcwbpyEVa2Vqlcafa0qIjaKV4=")
PULUMI = Module("github.com/pulumi/pulumi/pkg/v3", "v3.250.0", "h1:T2eQ5Ujv3+H2FUqYuJ5pwUtKFDazdvkyG5P3V3iEt0I=")
PULUMI_VERSION = f"-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version={PULUMI.version}"
# The last version of this module that has the Python language host; later ones keep only what it runs.
PULUMI_PYTHON_HOST = Module(
    "github.com/pulumi/pulumi/sdk/v3", "v3.60.0", "h1:sJEzoL5Q/FbJ4O3y60ml0Rzj5jiHNnvnM5mGmEk6Phc="
)
PULUMI_SDK = Module("github.com/pulumi/pulumi/sdk/v3", "v3.250.0", "h1:J9KDqsFS5rknqym7uVNjtcBF3M+9laOvpDAtY4xmaEg=")
PROMETHEUS_ADAPTER = Module(
    "sigs.k8s.io/prometheus-adapter", "v0.12.0", "h1:e29A6BIwA/NKxPZeuamBMHJsvz0sSUXTb92Obg7RMV4="
)
KEDA = Module("github.com/kedacore/keda/v2", "v2.18.0", "h1:ttR223fii/4QJ0YvtrhcWHaEoezByb/t5CeFopjl6EI=")
ARGO_ROLLOUTS = Module("github.com/argoproj/argo-rollouts", "v1.8.3", "h1:blbtQva4IK9r6gFh+dWkCrLnFdPOWiv9ubQYu36qeaA=")
KSERVE = Module("github.com/kserve/kserve", "v0.16.0", "h1:kDkcAU5VMiZf4zhdDXH+UdAIgzXhs10GMv0d9r4qvTs=")
H2SPEC = Module(
    "github.com/summerwind/h2spec", "v2.2.1+incompatible", "h1:Ex8kpG4LjIeudEtfbM892Os2PawIZBsEvukHJcvZHho="
)
# The last kind with a node image of the Kubernetes above.
KIND = Module("sigs.k8s.io/kind", "v0.31.0", "h1:UcT4nzm+YM7YEbqiAKECk+b6dsvc/HRZZu9U0FolL1g=")

# The order is that of the builds: first what most tests need.
TOOLS: tuple[Recipe, ...] = (
    DebianProgram("etcd", package="etcd-server"),
    DebianProgram("prometheus", package="prometheus"),
    DebianProgram("promtool", package="prometheus"),
    DebianProgram("docker-registry", package="docker-registry"),
    GoProgram("kube-apiserver", KUBERNETES, "./cmd/kube-apiserver", KUBERNETES_VERSION),
    GoProgram("kube-controller-manager", KUBERNETES, "./cmd/kube-controller-manager", KUBERNETES_VERSION),
    GoProgram("kube-scheduler", KUBERNETES, "./cmd/kube-scheduler", KUBERNETES_VERSION),
    GoProgram("kwok", KWOK, "./cmd/kwok"),
    GoProgram("pulumi", PULUMI, "./cmd/pulumi", PULUMI_VERSION),
    GoProgram(
        "pulumi-language-python", PULUMI_PYTHON_HOST, "./python/cmd/pulumi-language-python",
        beside=(
            ModuleFile("pulumi-language-python-exec", PULUMI_SDK, "python/cmd/pulumi-language-python-exec"),
        ),
    ),
    GoProgram("prometheus-adapter", PROMETHEUS_ADAPTER, "./cmd/adapter"),
    GoProgram("keda-operator", KEDA, "./cmd/operator", optimised=False),
    GoProgram("keda-adapter", KEDA, "./cmd/adapter", optimised=False),
    OldGoProgram("h2spec", H2SPEC, "cmd/h2spec"),
    GoProgram("argo-rollouts", ARGO_ROLLOUTS, "./cmd/rollouts-controller"),
    GoProgram(
        "kserve-manager", KSERVE, "./cmd/manager", optimised=False,
        beside=(
            ModuleFile("inferenceservice.yaml", KSERVE, "config/configmap/inferenceservice.yaml"),
            ModuleFile("webhooks.yaml", KSERVE, "config/webhook/manifests.yaml"),
        ),
    ),
    GoProgram("kind", KIND, "."),
)  # fmt: skip

CRDS: tuple[Recipe, ...] = (
    CrdFiles(
        "istio-crds.json",
        Module("istio.io/api", "v1.28.0", "h1:0fYY9G03CAdFwE/fCkpr0v7kKsy+Hz9OCCjLNBNLbnU="),
        ("kubernetes/customresourcedefinitions.gen.yaml",),
    ),
    GeneratedCrds(
        "prometheus-operator-crds.json",
        Module(
            "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring", "v0.86.0",
            "h1:qHIsKfA2yDNx6Ch+B8sEMNy4sDq+uijCVZBscziNe+M=",
        ),
        generator=Module(
            "sigs.k8s.io/controller-tools", "v0.19.0", "h1:OU7jrPPiZusryu6YK0jYSjPqg8Vhf8cAzluP9XGI5uk="
        ),
        packages=("./v1", "./v1alpha1", "./v1beta1"),
    ),
    CrdFiles("keda-crds.json", KEDA, ("config/crd/bases/*.yaml",)),
    CrdFiles("argo-rollouts-crds.json", ARGO_ROLLOUTS, ("manifests/crds/*-crd.yaml",)),
    CrdFiles(
        "kserve-crds.json",
        KSERVE,
        ("config/crd/full/serving.kserve.io_*.yaml",),
    ),
    CrdFiles(
        "gateway-api-crds.json",
        Module("sigs.k8s.io/gateway-api", "v1.4.0", "h1:ZwlNM6zOHq0h3WUX2gfByPs2yAEsy/EenYJB78jpQfQ="),
        ("config/crd/standard/gateway.*.yaml",),
    ),
    CrdFiles(
        "karpenter-crds.json",
        # AWS' own module: its NodePool knows AWS' labels, and the EC2NodeClass is in it.
        Module("github.com/aws/karpenter-provider-aws", "v1.14.1", "h1:WGtIQTQcxpElYMdWfWuPwaF2+9muR+hYhPZsTtoY8Gs="),
        ("pkg/apis/crds/karpenter.*.yaml",),
    ),
    CrdFiles(
        "knative-crds.json",
        Module("knative.dev/serving", "v0.47.0", "h1:qNe8GcI12VigsGRqBojqTE/u63rikAWAtGliEOgNxAY="),
        ("config/core/300-resources/*.yaml",),
    ),
    CrdFiles(
        "kuberay-crds.json",
        Module("github.com/ray-project/kuberay/ray-operator", "v1.4.2",
               "h1:A4tGzbIky8sInAUxZBdBb+rrpZ7fbqoxdsOtm559Zqg="),
        ("config/crd/bases/*.yaml",),
    ),
    CrdFiles(
        "spark-crds.json",
        Module("github.com/kubeflow/spark-operator/v2", "v2.3.0",
               "h1:cYN/331gwkdZ0S/ai72JQoUv7UK52O2OQOWFpl8XhPc="),
        ("config/crd/bases/*.yaml",),
    ),
)  # fmt: skip
