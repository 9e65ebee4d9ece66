"""The values that a field may be given when a project is changed at random; `...` leaves it out.

Each field of a spec and of a stack is here, or in UNCHANGED with the reason: test_edits.py holds the tables against the
models. A value that does not go with the rest of a project is not taken by edits.py.
"""

from typing import Any

_SUBNET = "subnet-{}a1b2c3d4e5f60718"
_IMAGE = "example.com/{}@sha256:{}"


def _images(name: str) -> tuple[str, ...]:
    return tuple(_IMAGE.format(name, digit * 64) for digit in "123")


SPEC: dict[str, tuple[Any, ...]] = {
    "team": ("vision", "payments", "research", ...),
    "labels": ({}, {"tier": "gold"}, {"tier": "iron", "cost-center": "77"}, ...),
    "stacks": ({"prod": {"scaling": {"max_replicas": 30}}}, {"prod": {"team": "platform"}}, ...),
    "model.version": tuple(range(1, 30)),
    "model.format": ("onnx", "sklearn", "torchscript"),
    "model.uri": ("s3://acme-models/second", "s3://other-models/third"),
    "model.sha256": ("3" * 64, "4" * 64, ...),
    "model.size": ("24Mi", "900Mi", ...),
    "model.credentials": ({"service_account": "own"}, {"service_account": "other"}, {"secret": "model-store"}, ...),
    "model.inputs": (
        [{"name": "x", "dtype": "FP32", "shape": [7]}], [{"name": "x", "dtype": "INT64", "shape": ["seq"]}],
    ),
    "model.outputs": (
        [{"name": "y", "dtype": "FP32", "shape": [2]}],
        [{"name": "y", "dtype": "FP32", "shape": [2], "labels": ["no", "yes"]}],
    ),
    "build": (
        {"target": "onnx", "precision": "int8-dynamic"}, {"target": "openvino"}, {"target": "tensorrt"},
        {
            "target": "onnx", "precision": "int8-static",
            "calibration": {"uri": "s3://acme-models/samples.npz", "method": "minmax"},
        }, ...,
    ),
    "build.precision": ("fp32", "fp16", "int8-dynamic"),
    "build.profiles": ([{"batch": {"min": 1, "opt": 4, "max": 8}}], ...),
    "build.accept": (
        {"max_abs_error": 0.1, "min_top1_agreement": 0.9}, {"min_speedup": 1.1},
        {"max_size": "90Mi", "max_p95_latency": "9ms"}, ...,
    ),
    "build.samples": ("s3://acme-models/held-out.npz", ...),
    "build.pruning": (
        {"sparsity": 0.3}, {"sparsity": 0.3, "method": "structured"},
        {"sparsity": 0.5, "method": "magnitude", "scope": "global"}, ...,
    ),
    "build.trust_pickle": (True, ...),
    "build.device": ({"target": "ort", "precision": "int8-dynamic", "max_size": "4Mi", "max_p95_latency": "9ms"}, ...),
    "build.version_compatible": (True, ...),
    "build.hardware_compatible": (True, ...),
    "build.workspace": ("2Gi", "6Gi"),
    "serving.engine": ("fastapi", "triton"),
    "serving.server": ("together", ...),
    "serving.protocols": (["rest"], ["grpc"], ["grpc", "rest"], ...),
    "serving.batching.max_batch_size": (8, 16, 32),
    "serving.batching.preferred_batch_sizes": ([4, 8], [8], ...),
    "serving.batching.max_queue_delay": ("1ms", "2ms", "9ms"),
    "serving.batching.max_queue_size": (64, 512, 777),
    "serving.batching.queue_timeout": ("5ms", "90ms", ...),
    "serving.cache": ({"size": "128Mi"}, {"size": "1024Mi", "ttl": "5m"}, ...),
    "serving.resources.cpu": (1, "750m", 2, "1500m"),
    "serving.resources.cpu_limit": (3, "3500m", ...),
    "serving.resources.memory": ("1Gi", "1024Mi", "3Gi", "4000Mi"),
    "serving.resources.accelerator": ("nvidia-l4", "nvidia-l4:2", "nvidia-a10g", ...),
    "serving.resources.shared_memory": ("128Mi", ...),
    "serving.instances": (1, 2, 3),
    "serving.warmup": (False, ...),
    "serving.cuda_graphs": (True, ...),
    "serving.handler": ("stacks/__main__.py", ...),  # any file of Python will do
    "serving.image": (_IMAGE.format("own", "7" * 64), ...),
    "serving.env": ({"OMP_NUM_THREADS": "2"}, {"OMP_NUM_THREADS": "02", "EMPTY": ""}, ...),
    "serving.request_limit": ("16Mi", "128Mi"),
    "serving.startup_timeout": ("4m", "20m"),
    "serving.drain_timeout": ("10s", "45s"),
    "nodes": (
        {"pool": "gpu-l4"}, {"pool": "spare"}, ...,
        {"provisioner": "karpenter", "instance_types": ["g6.xlarge", "g6.2xlarge"], "capacity": "spot"},
        {"provisioner": "karpenter", "instance_types": ["c7i.2xlarge"], "zones": ["eu-west-1a"]},
        {"provisioner": "eks", "instance_types": ["c7i.2xlarge"], "max_nodes": 4},
        {"provisioner": "eks", "instance_types": ["g6.xlarge"], "min_nodes": 1, "capacity": "spot"},
        {"provisioner": "existing", "labels": {"example.com/rack": "7"}},
    ),
    "nodes.instance_types": (["c7i.2xlarge"], ["c7i.4xlarge", "c7i.2xlarge"], ["g6.xlarge"], ["g6.2xlarge"]),
    "nodes.capacity": ("spot", "on-demand"),
    "nodes.min_nodes": (0, 1, 2),
    "nodes.max_nodes": (3, 5, 30),
    "nodes.ami_type": ("AL2023_x86_64_STANDARD", "AL2023_x86_64_NVIDIA", "BOTTLEROCKET_x86_64", ...),
    "nodes.ami_version": ("1.49.0", ...),
    "nodes.disk": ("120Gi", "200Gi"),
    "nodes.labels": ({"example.com/rack": "7"}, ...),
    "nodes.taints": ([{"key": "team", "value": "vision"}], [{"key": "team", "effect": "NoExecute"}], ...),
    "scaling.min_replicas": (1, 2, 3, 4),
    "scaling.max_replicas": (4, 5, 7, 12, 20),
    "scaling.controller": ("hpa", "keda", ...),
    "scaling.metrics": (
        {"utilization": 50}, {"utilization": 80, "queue_length": 6}, {"cpu": 65}, {"cpu": 65, "memory": 80},
        {"requests_per_second": 150}, {"utilization": 70, "p95_latency": "5ms"}, ...,
    ),
    "scaling.behavior": (
        {"scale_down": {"window": "2m", "percent": 20, "period": "90s"}}, {"scale_up": {"window": "10s", "pods": 3}},
        {"scale_up": {"percent": 300, "period": "20s"}}, ...,
    ),
    "traffic.expected_rps": (20, 250),
    "traffic.peak_rps": (5000, 7000),
    "traffic.timeout": ("1s", "3s", "20s"),
    "traffic.retries": (
        {"attempts": 0}, {"attempts": 3}, {"attempts": 1, "per_try_timeout": "40ms", "on": ["unavailable", "5xx"]}, ...,
    ),
    "traffic.outlier_detection": (
        {"consecutive_errors": 9}, {"interval": "5s", "ejection_time": "1m", "max_ejection_percent": 20}, ...,
    ),
    "traffic.clients": (["web"], ["web", "jobs"], [], ...),
    "rollout": (
        {"strategy": "canary", "candidate": {"version": 40}, "weight": 10},
        {"strategy": "canary", "candidate": {"version": 41}, "weight": 25},
        {"strategy": "canary", "candidate": {"version": 40, "uri": "s3://acme-models/next"}, "weight": 5},
        {"strategy": "canary", "candidate": {"version": 40, "sha256": "5" * 64}, "weight": 5},
        {"strategy": "shadow", "candidate": {"version": 40}, "percent": 5},
        {"strategy": "ab", "candidate": {"version": 40}, "header": "x-cohort", "match": "beta"},
        {"strategy": "ab", "candidate": {"version": 40}, "cookie": "cohort", "match": "beta"},
        {"strategy": "blue-green", "candidate": {"version": 40}, "active": 40},
        {"strategy": "blue-green", "candidate": {"version": 40}, "active": 40, "keep": 2},
        {"strategy": "canary", "steps": [{"weight": 20, "hold": "10m"}], "analysis": {"max_error_rate": 0.02}},
        {"strategy": "blue-green", "analysis": {"max_error_rate": 0.02}, "keep_for": "20m"},
        ...,
    ),
    "rollout.weight": (0, 50, 99),
    "rollout.percent": (1, 50),
    "rollout.keep": (3, ...),
    "rollout.candidate.version": (40, 42),
    "rollout.analysis": (
        {"max_p95_latency": "90ms", "interval": "20s", "window": "2m", "failure_limit": 0}, {"max_error_rate": 0.05},
    ),
    "expose": (
        {"host": "a.models.example.com", "auth": "none"}, {"host": "b.models.example.com", "auth": "jwt"},
        {"host": "b.models.example.com", "auth": "mtls", "tls_secret": "own"}, ...,
    ),
    "slo": (
        {"availability": 99.5}, {"availability": 99.95, "latency": {"p99": "80ms"}}, {"latency": {"p95": "250ms"}},
        {"availability": 99.9, "window": "7d"}, {"latency": {"p50": "20ms", "p90": "60ms", "p99": "200ms"}}, ...,
    ),
}  # fmt: skip

STACK: dict[str, tuple[Any, ...]] = {
    "labels": ({"environment": "prod", "reviewed": "yes"}, {}, {"environment": "prod"}),
    "model_specs": (["model_specs/*.yaml"], ["model_specs/fraud.yaml", "model_specs/iris.yaml"]),
    "images.runtime": _images("runtime"),
    "images.runtime_gpu": _images("runtime-gpu"),
    "images.runtime_imports": (*_images("runtime-imports"), ...),
    "images.triton": _images("triton"),
    **{
        f"images.{name}": (*_images(name.replace("_", "-")), ...)
        for name in ("tfserving", "tfserving_gpu", "torchserve", "torchserve_gpu", "mlflow", "bentoml")
    },
    "images.triton_release": ("26.07", "26.08"),
    "images.triton_tensorrt": ("10.13.2", ...),
    "images.runtime_gpu_tensorrt": ("10.13.2", ...),
    "images.pull_secrets": (["registry"], ["registry", "other"], []),
    "images.mirror": ("mirror.example.com/cache", ...),
    "artifacts.uri": ("s3://acme-models-engines/prod", "s3://acme-models-engines/second"),
    "gateway.name": ("public", ...),
    "gateway.namespace": ("istio-system", "gateways"),
    "gateway.selector": ({"istio": "ingressgateway"}, {"app": "edge"}, ...),
    "gateway.tls_secret": ("models-tls", "other-tls"),
    "gateway.jwt_issuer": ("https://login.example.com/", ...),
    "gateway.jwks_uri": ("https://login.example.com/keys", ...),
    "gateway.jwt_audiences": (["models.example.com"], ...),
    "prometheus.address": ("http://prometheus.monitoring.svc:9090", ...),
    "prometheus.namespace": ("monitoring", "observability"),
    "prometheus.scrape_interval": (15, 30),
    "prometheus.labels": ({"release": "kube-prometheus-stack"}, {"release": "other"}, {}),
    "grafana.labels": ({"grafana_dashboard": "1"}, {"dashboards": "models"}),
    "grafana.annotations": ({"grafana_folder": "Models"}, ...),
    "node_pools.gpu-l4.max_nodes": (12, 6),
    "node_pools.gpu-l4.capacity": ("spot", "on-demand"),
    "node_pools.gpu-l4.instance_types": (["g6.xlarge", "g6.2xlarge"], ["g6.4xlarge"]),
    "node_pools.gpu-l4.disk": ("150Gi", ...),
    "node_pools.gpu-l4.zones": (["eu-west-1a", "eu-west-1b"], ...),
    "node_pools.gpu-l4.labels": ({"example.com/rack": "7"}, ...),
    "node_pools.gpu-l4.taints": ([{"key": "team", "value": "vision"}], [{"key": "team", "effect": "NoExecute"}], ...),
    "node_pools.spare": (
        {"provisioner": "eks", "instance_types": ["c7i.2xlarge"]},
        {
            "provisioner": "eks", "instance_types": ["c7i.2xlarge"], "min_nodes": 1, "ami_type": "BOTTLEROCKET_x86_64",
            "ami_version": "1.49.0",
        },
        {"provisioner": "karpenter", "instance_types": ["c7i.4xlarge"]}, ...,
    ),
    "cluster.namespace": ("models", "elsewhere"),
    "cluster.aws.account": ("123456789012", "210987654321"),
    "cluster.aws.region": ("eu-west-1", "eu-central-1"),
    "cluster.aws.subnets": ([_SUBNET.format(1)], [_SUBNET.format(1), _SUBNET.format(2)]),
    "cluster.aws.security_groups": (["sg-0a1b2c3d4e5f60718"], []),
    "cluster.aws.permissions_boundary": ("arn:aws:iam::123456789012:policy/boundary", ...),
    "cluster.aws.karpenter_node_role": ("KarpenterNodes", ...),
    "cluster.aws.cluster_name": ("models-prod", "models-second"),
    "cluster.aws.oidc_provider": (f"oidc.eks.eu-west-1.amazonaws.com/id/{'A' * 32}",),
}  # fmt: skip

UNCHANGED = {
    "slipform": "there is one version of the format",
    "name": "edits.py renames models",
    "model.ensemble": "edits.py makes one of two models",
    "has": "edits.py gives and takes capabilities",
    "cluster.context": "the tests' own cluster",
    "cluster.kubeconfig": "the tests' own cluster",
    "cluster.create_namespace": "to take it back deletes the namespace with all that is in it; the stack dev has it",
    "cost": "nothing that is made follows it",
    "policy": "nothing that is made follows it",
    "exempt": "nothing that is made follows it",
    "serving.runtime": "goes with the engine kserve, which test_kserve.py puts before its controller",
    "expose.paths": "goes with the engine bentoml, which test_engines.py puts before the API server",
    "protected": "what is protected can't be taken down after the test",
}
"""Fields that have no values here, with all that is beneath them, and why."""
