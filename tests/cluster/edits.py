"""Changes as people make them to specs and stacks, drawn at random; kept where the project stays right."""

import copy
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from slipform.project import load
from slipform.spec.findings import SlipformError

Document = dict[str, Any]
_SPECS = "model_specs"
_SUBNET = "subnet-{}a1b2c3d4e5f60718"


def edit(root: Path, stack: str, chance: random.Random, number: int) -> list[str]:
    """Makes `number` changes to the specs and the stack's file of a project; says each in a line."""
    made: list[str] = []
    while len(made) < number:
        before = _read(root, stack)
        after = copy.deepcopy(before)
        kind, what = chance.choice(_WEIGHTED)
        said = what(after, chance)
        if said is None or after == before:
            continue
        _write(root, stack, before, after)
        try:
            load(root, stack)
        except SlipformError:
            _write(root, stack, after, before)
            continue
        made.append(f"{kind}: {said}")
    return made


# -- one field of one spec, or of the stack --------------------------------------------------------

_PATHS: dict[str, tuple[Any, ...]] = {
    "model.version": tuple(range(1, 30)),
    "team": ("vision", "payments", "research", ...),
    "labels": ({}, {"tier": "gold"}, {"tier": "iron", "cost-center": "77"}, ...),
    "scaling.min_replicas": (1, 2, 3, 4),
    "scaling.max_replicas": (4, 5, 7, 12, 20),
    "scaling.metrics": (
        {"utilization": 50}, {"utilization": 80, "queue_length": 6}, {"cpu": 65}, {"requests_per_second": 150},
        {"utilization": 70, "p95_latency": "5ms"}, ...,
    ),
    "scaling.behavior": ({"scale_down": {"window": "2m"}}, {"scale_up": {"window": "10s", "pods": 3}}, ...),
    "serving.engine": ("fastapi", "triton"),
    "serving.batching.max_queue_delay": ("1ms", "2ms", "9ms"),
    "serving.batching.max_queue_size": (64, 512, 777),
    "serving.batching.max_batch_size": (8, 16, 32),
    "serving.cache": ({"size": "128Mi"}, {"size": "1024Mi", "ttl": "5m"}, ...),
    "serving.resources.cpu": (1, "750m", 2, "1500m"),
    "serving.resources.memory": ("1Gi", "1024Mi", "3Gi", "4000Mi"),
    "serving.resources.shared_memory": ("128Mi", ...),
    "serving.instances": (1, 2, 3),
    "serving.env": ({"OMP_NUM_THREADS": "2"}, {"OMP_NUM_THREADS": "02", "EMPTY": ""}, ...),
    "serving.drain_timeout": ("10s", "45s"),
    "serving.protocols": (["rest"], ["grpc"], ["grpc", "rest"], ...),
    "serving.server": ("together", ...),
    "serving.image": (f"example.com/own@sha256:{'7' * 64}", ...),
    "nodes": (
        {"pool": "gpu-l4"}, {"pool": "spare"}, ...,
        {"provisioner": "karpenter", "instance_types": ["g6.xlarge", "g6.2xlarge"], "capacity": "spot"},
        {"provisioner": "karpenter", "instance_types": ["c7i.2xlarge"], "zones": ["eu-west-1a"]},
        {"provisioner": "eks", "instance_types": ["c7i.2xlarge"], "max_nodes": 4},
        {"provisioner": "eks", "instance_types": ["g6.xlarge"], "min_nodes": 1, "capacity": "spot"},
    ),
    "nodes.instance_types": (["c7i.2xlarge"], ["c7i.4xlarge", "c7i.2xlarge"], ["g6.xlarge"], ["g6.2xlarge"]),
    "nodes.capacity": ("spot", "on-demand"),
    "nodes.min_nodes": (0, 1, 2),
    "nodes.max_nodes": (3, 5, 30),
    "nodes.disk": ("120Gi", "200Gi"),
    "nodes.labels": ({"example.com/rack": "7"}, ...),
    "nodes.taints": ([{"key": "team", "value": "vision"}], [{"key": "team", "effect": "NoExecute"}], ...),
    "nodes.ami_version": ("1.49.0", ...),
    "traffic.timeout": ("1s", "3s", "20s"),
    "traffic.retries": ({"attempts": 0}, {"attempts": 3}, ...),
    "traffic.clients": (["web"], ["web", "jobs"], [], ...),
    "traffic.outlier_detection": ({"consecutive_errors": 9}, ...),
    "traffic.peak_rps": (5000, 7000),
    "slo": (
        {"availability": 99.5}, {"availability": 99.95, "latency": {"p99": "80ms"}}, {"latency": {"p95": "250ms"}},
        {"availability": 99.9, "window": "7d"}, ...,
    ),
    "expose": (
        {"host": "a.models.example.com", "auth": "none"}, {"host": "b.models.example.com", "auth": "jwt"},
        {"host": "b.models.example.com", "auth": "mtls", "tls_secret": "own"}, ...,
    ),
    "rollout": (
        {"strategy": "canary", "candidate": {"version": 40}, "weight": 10},
        {"strategy": "canary", "candidate": {"version": 41}, "weight": 25},
        {"strategy": "shadow", "candidate": {"version": 40}, "percent": 5},
        {"strategy": "ab", "candidate": {"version": 40}, "header": "x-cohort", "match": "beta"},
        {"strategy": "blue-green", "candidate": {"version": 40}, "active": 40},
        {"strategy": "canary", "steps": [{"weight": 20, "hold": "10m"}], "analysis": {"max_error_rate": 0.02}},
        {"strategy": "blue-green", "analysis": {"max_error_rate": 0.02}, "keep_for": "20m"},
        ...,
    ),
    "rollout.weight": (0, 50, 99),
    "rollout.candidate.version": (40, 42),
}  # fmt: skip

_STACK_PATHS: dict[str, tuple[Any, ...]] = {
    "labels": ({"environment": "prod", "reviewed": "yes"}, {}, {"environment": "prod"}),
    "images.runtime": tuple(f"example.com/runtime@sha256:{digit * 64}" for digit in "123"),
    "images.runtime_gpu": tuple(f"example.com/runtime-gpu@sha256:{digit * 64}" for digit in "123"),
    "images.triton": tuple(f"example.com/triton@sha256:{digit * 64}" for digit in "123"),
    "images.triton_release": ("26.07", "26.08"),
    "images.pull_secrets": (["registry"], ["registry", "other"], []),
    "images.mirror": ("mirror.example.com/cache", ...),
    "artifacts.uri": ("s3://acme-models-engines/prod", "s3://acme-models-engines/second"),
    "gateway.name": ("public", ...),
    "gateway.namespace": ("istio-system", "gateways"),
    "gateway.tls_secret": ("models-tls", "other-tls"),
    "gateway.jwt_issuer": ("https://login.example.com/", ...),
    "prometheus.scrape_interval": (15, 30),
    "prometheus.labels": ({"release": "kube-prometheus-stack"}, {"release": "other"}, {}),
    "node_pools.gpu-l4.max_nodes": (12, 6),
    "node_pools.gpu-l4.capacity": ("spot", "on-demand"),
    "node_pools.gpu-l4.instance_types": (["g6.xlarge", "g6.2xlarge"], ["g6.4xlarge"]),
    "node_pools.spare": (
        {"provisioner": "eks", "instance_types": ["c7i.2xlarge"]},
        {"provisioner": "karpenter", "instance_types": ["c7i.4xlarge"]}, ...,
    ),
    "cluster.aws.subnets": ([_SUBNET.format(1)], [_SUBNET.format(1), _SUBNET.format(2)]),
    "cluster.aws.security_groups": (["sg-0a1b2c3d4e5f60718"], []),
    "cluster.aws.permissions_boundary": ("arn:aws:iam::123456789012:policy/boundary", ...),
    "cluster.aws.karpenter_node_role": ("KarpenterNodes", ...),
    "cluster.aws.cluster_name": ("models-prod", "models-second"),
    "cluster.aws.oidc_provider": (f"oidc.eks.eu-west-1.amazonaws.com/id/{'A' * 32}",),
    "cluster.namespace": ("models", "elsewhere"),
}  # fmt: skip
_CAPABILITIES = (
    "istio", "prometheus-operator", "prometheus-adapter", "argo-rollouts", "network-policy", "metrics-server", "keda",
)  # fmt: skip


def _field(documents: Document, chance: random.Random) -> str | None:
    file = chance.choice(_specs(documents))
    return _set(documents[file], file, chance, _PATHS)


def _stack_field(documents: Document, chance: random.Random) -> str | None:
    return _set(documents["stack"], "stack", chance, _STACK_PATHS)


def _set(document: Document, where: str, chance: random.Random, paths: dict[str, tuple[Any, ...]]) -> str | None:
    path = chance.choice(tuple(paths))
    value = copy.deepcopy(chance.choice(paths[path]))
    *parents, last = path.split(".")
    place: Any = document
    for key in parents:
        place = place.setdefault(key, {})
        if not isinstance(place, dict):
            return None
    if value is ...:
        place.pop(last, None)
        return f"{where} {path} left out"
    place[last] = value
    return f"{where} {path} = {value}"


# -- models and capabilities that come and go ------------------------------------------------------


def _new_model(documents: Document, chance: random.Random) -> str:
    source = chance.choice(_specs(documents))
    name = f"new-{chance.randrange(1000)}"
    made = copy.deepcopy(documents[source]) | {"name": name}
    made.pop("expose", None)
    documents[name] = made
    return f"{name}, a copy of {source}"


def _removed_model(documents: Document, chance: random.Random) -> str | None:
    if len(_specs(documents)) < 3:
        return None
    file = chance.choice(_specs(documents))
    del documents[file]
    return file


def _renamed_model(documents: Document, chance: random.Random) -> str:
    file = chance.choice(_specs(documents))
    documents[file]["name"] = f"{file}-{chance.randrange(10)}"
    return f"{file} is now {documents[file]['name']}"


def _capability(documents: Document, chance: random.Random) -> str:
    name = chance.choice(_CAPABILITIES)
    has = documents["stack"]["has"]
    (has.remove if name in has else has.append)(name)
    return f"{name}, {'now' if name in has else 'no longer'}"


_Change = Callable[[Document, random.Random], str | None]
_WEIGHTED: tuple[tuple[str, _Change], ...] = (
    *[("field", _field)] * 14,
    *[("stack", _stack_field)] * 4,
    ("capability", _capability),
    *[("new model", _new_model)] * 2,
    ("removed model", _removed_model),
    ("renamed model", _renamed_model),
)


# -- files -----------------------------------------------------------------------------------------


def _specs(documents: Document) -> list[str]:
    return sorted(documents.keys() - {"stack"})


def _read(root: Path, stack: str) -> Document:
    """The specs by their files' names, and the stack's config as `stack`, without the prefix of its keys."""
    config = yaml.safe_load((root / "stacks" / f"Pulumi.{stack}.yaml").read_text())["config"]
    specs = {file.stem: yaml.safe_load(file.read_text()) for file in (root / _SPECS).glob("*.yaml")}
    return {**specs, "stack": {key.removeprefix("slipform:"): value for key, value in config.items()}}


def _write(root: Path, stack: str, old: Document, new: Document) -> None:
    for name, document in _differing(old, new):
        if name == "stack":
            config = {f"slipform:{key}": value for key, value in document.items()}
            file, document = root / "stacks" / f"Pulumi.{stack}.yaml", {"config": config}
        else:
            file = root / _SPECS / f"{name}.yaml"
        if document is None:
            file.unlink()
        else:
            file.write_text(yaml.safe_dump(document, sort_keys=False))


def _differing(old: Document, new: Document) -> Iterator[tuple[str, Any]]:
    for name in old.keys() | new.keys():
        if old.get(name) != new.get(name):
            yield name, new.get(name)
