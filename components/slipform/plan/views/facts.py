"""What a reader wants to know of a resource, in a line: images, sizes, weights, never a dump of its inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..graph import Resource
from ..kubernetes import is_object, metadata
from ..values import KNOWN_AFTER_APPLY, Secret


def facts(resource: Resource) -> list[str]:
    """Short phrases, the most telling first. Empty where the kind and the name say it all."""
    describe = _DESCRIBE.get(resource.kind)
    phrases = describe(resource.inputs) if describe and resource.custom else []
    if resource.read:
        phrases = ["read, not managed", *phrases]
    if resource.options.protect:
        phrases = [*phrases, "protected"]
    if resource.options.import_id:
        phrases = [*phrases, f"imported from {resource.options.import_id}"]
    return [phrase for phrase in phrases if phrase]


def title(resource: Resource) -> str:
    """The name under which the resource is found where it lives; what the provider makes up ends in an ellipsis."""
    if is_object(resource):
        name = metadata(resource).get("name")
        return str(name) if isinstance(name, str) else f"{resource.name}-…"
    for key in ("name", "nodeGroupName"):
        name = resource.inputs.get(key)
        if resource.custom and isinstance(name, str) and not isinstance(name, Secret) and name != KNOWN_AFTER_APPLY:
            return name
    return resource.name


# -- reading inputs whose parts may be missing, unknown or secret ----------------------------------


def _at(value: Any, path: str) -> Any:
    """The value at a dotted path (`spec.ports.0.port`), None where there is none."""
    for part in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def _list(value: Any, path: str) -> list[Any]:
    found = _at(value, path)
    return found if isinstance(found, list) else []


def _map(value: Any, path: str) -> Mapping[str, Any]:
    found = _at(value, path)
    return found if isinstance(found, Mapping) else {}


def _if(value: Any, phrase: str) -> str:
    """The phrase with `{}` filled in, or nothing where the value says nothing."""
    return "" if value in (None, "", [], {}) else phrase.format(value)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _image(image: Any) -> str:
    """An image without its registry: what tells two of them apart is the end. Digests are cut as git cuts commits."""
    name = str(image).rpartition("/")[2]
    name, at, digest = name.partition("@")
    return f"{name}@{digest.removeprefix('sha256:')[:12]}" if at else name


def _range(low: Any, high: Any, noun: str) -> str:
    if high is None:
        return _if(low, "{} " + noun)
    return f"{noun} {low if low is not None else 1}–{high}"


# -- workloads -------------------------------------------------------------------------------------


def _pod(template: Any) -> list[str]:
    phrases = []
    for container in _list(template, "spec.containers"):
        sizes = {**_map(container, "resources.requests"), **_map(container, "resources.limits")}
        wanted = {**sizes, **_map(container, "resources.requests")}
        size = ", ".join(f"{_short(name)} {wanted[name]}" for name in sorted(wanted, key=_by_importance))
        phrases += [_image(_at(container, "image") or "no image"), size]
    return phrases


def _short(resource_name: str) -> str:
    return {"nvidia.com/gpu": "GPU", "cpu": "CPU"}.get(resource_name, resource_name)


def _by_importance(resource_name: str) -> tuple[int, str]:
    order = ("nvidia.com/gpu", "cpu", "memory")
    return (order.index(resource_name) if resource_name in order else len(order), resource_name)


def _workload(inputs: Any) -> list[str]:
    replicas = _at(inputs, "spec.replicas")
    count = _plural(replicas, "replica") if isinstance(replicas, int) else ""
    return [count, *_pod(_at(inputs, "spec.template"))]


def _inference_service(inputs: Any) -> list[str]:
    return _pod({"spec": _at(inputs, "spec.predictor")})


def _rollout(inputs: Any) -> list[str]:
    weights = [_at(step, "setWeight") for step in _list(inputs, "spec.strategy.canary.steps")]
    steps = " → ".join(f"{weight} %" for weight in weights if weight is not None)
    kinds = ", ".join(sorted(_map(inputs, "spec.strategy")))
    return [f"{kinds} {steps}".strip(), *_workload(inputs)]


def _service(inputs: Any) -> list[str]:
    kind = _at(inputs, "spec.type")
    headless = "headless" if _at(inputs, "spec.clusterIP") == "None" else ""
    ports = ", ".join(_port(port) for port in _list(inputs, "spec.ports"))
    return [str(kind) if kind not in (None, "ClusterIP") else "", headless, ports]


def _port(port: Any) -> str:
    number, target, name = _at(port, "port"), _at(port, "targetPort"), _at(port, "name")
    arrow = f"→{target}" if target not in (None, number, name) else ""
    return f"{number}{arrow} {name or ''}".strip()


def _config(inputs: Any) -> list[str]:
    entries = {**_map(inputs, "data"), **_map(inputs, "stringData"), **_map(inputs, "binaryData")}
    sealed = any(isinstance(_at(inputs, key), Secret) for key in ("data", "stringData"))
    if sealed:
        return ["[secret]"]
    return [", ".join(f"{key} ({_size(value)})" if _size(value) else key for key, value in sorted(entries.items()))]


def _size(value: Any) -> str:
    if isinstance(value, Secret) or not isinstance(value, str):
        return ""
    lines = value.count("\n")
    return _plural(lines, "line") if lines > 1 else ""


# -- scaling, traffic, rules -----------------------------------------------------------------------


def _autoscaler(inputs: Any) -> list[str]:
    metrics = [metric(each) for each in _list(inputs, "spec.metrics")]
    return [_range(_at(inputs, "spec.minReplicas"), _at(inputs, "spec.maxReplicas"), "replicas"), ", ".join(metrics)]


def metric(metric: Any) -> str:
    """`cpu 70 %`, `queue_length 10`: whatever the metric's type calls its source."""
    sources = [value for value in metric.values() if isinstance(value, Mapping)] if isinstance(metric, Mapping) else []
    source = sources[0] if sources else {}
    target = {key: value for key, value in _map(source, "target").items() if key != "type"}
    percent = " %" if "averageUtilization" in target else ""
    return f"{_at(source, 'metric.name') or _at(source, 'name')} {next(iter(target.values()), '')}{percent}".strip()


def _scaled_object(inputs: Any) -> list[str]:
    triggers = [
        f"{_at(trigger, 'name') or _at(trigger, 'type')} {_at(trigger, 'metadata.threshold') or ''}".strip()
        for trigger in _list(inputs, "spec.triggers")
    ]
    low, high = _at(inputs, "spec.minReplicaCount"), _at(inputs, "spec.maxReplicaCount")
    return [_range(low if low is not None else 0, high, "replicas"), ", ".join(triggers)]


def _routes(inputs: Any) -> list[str]:
    """Where traffic goes, said once however many matches lead there."""
    hosts = ", ".join(map(str, _list(inputs, "spec.hosts")))
    phrases = []
    for route in _list(inputs, "spec.http"):
        mirror = _at(route, "mirror.subset") or _at(route, "mirror.host")
        percent = _at(route, "mirrorPercentage.value")
        phrases.append(_shares(_list(route, "route")))
        phrases.append(_if(mirror, "mirrored to {}") + _if(percent if mirror else None, " {} %"))
    return [_if(hosts, "for {}"), *dict.fromkeys(phrases)]


def _shares(destinations: list[Any]) -> str:
    named = [
        (_at(each, "weight"), _at(each, "destination.subset") or _at(each, "destination.host")) for each in destinations
    ]
    if len(named) == 1:
        return f"all to {named[0][1]}"
    return ", ".join(f"{weight} % to {name}" for weight, name in named)


def _subsets(inputs: Any) -> list[str]:
    names = [str(_at(each, "name")) for each in _list(inputs, "spec.subsets")]
    return [_if(_at(inputs, "spec.host"), "{}"), _if(", ".join(names), "subsets {}")]


def _gateway(inputs: Any) -> list[str]:
    hosts = [str(host) for server in _list(inputs, "spec.servers") for host in _list(server, "hosts")]
    return [", ".join(sorted(set(hosts)))]


def _rules(inputs: Any) -> list[str]:
    rules = [rule for group in _list(inputs, "spec.groups") for rule in _list(group, "rules")]
    alerts = [str(_at(rule, "alert")) for rule in rules if _at(rule, "alert") is not None]
    recording = len(rules) - len(alerts)
    names = sorted(set(alerts))
    shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return [_plural(len(alerts), "alert") + (f" ({shown})" if alerts else ""), _plural(recording, "recording rule")]


def _monitor(inputs: Any) -> list[str]:
    return [
        f"scrapes {_at(endpoint, 'port') or _at(endpoint, 'targetPort')}{_at(endpoint, 'path') or '/metrics'}"
        + _if(_at(endpoint, "interval"), " every {}")
        for endpoint in _list(inputs, "spec.endpoints") or _list(inputs, "spec.podMetricsEndpoints")
    ]


def _budget(inputs: Any) -> list[str]:
    available, gone = _at(inputs, "spec.minAvailable"), _at(inputs, "spec.maxUnavailable")
    return [_if(available, "at least {} available"), _if(gone, "at most {} unavailable")]


def _network_policy(inputs: Any) -> list[str]:
    return [
        f"{_plural(len(_list(inputs, f'spec.{way}')), 'rule')} for {way}"
        for way in ("ingress", "egress")
        if way.capitalize() in _list(inputs, "spec.policyTypes") or _list(inputs, f"spec.{way}")
    ]


def _account(inputs: Any) -> list[str]:
    roles = [
        value for key, value in sorted(_map(inputs, "metadata.annotations").items()) if "role" in key or "iam" in key
    ]
    return [f"as {role}" for role in roles]


def _claim(inputs: Any) -> list[str]:
    return [
        _if(_at(inputs, "spec.resources.requests.storage"), "{}"),
        _if(_at(inputs, "spec.storageClassName"), "class {}"),
        ", ".join(map(str, _list(inputs, "spec.accessModes"))),
    ]


# -- nodes -----------------------------------------------------------------------------------------


def _node_pool(inputs: Any) -> list[str]:
    wanted = {
        str(_at(each, "key")): ", ".join(map(str, _list(each, "values")))
        for each in _list(inputs, "spec.template.spec.requirements")
    }
    limits = ", ".join(f"{_short(key)} {value}" for key, value in sorted(_map(inputs, "spec.limits").items()))
    shown = [wanted.get("node.kubernetes.io/instance-type", ""), wanted.get("karpenter.sh/capacity-type", "")]
    return [*shown, _if(limits, "at most {}")]


def _node_class(inputs: Any) -> list[str]:
    return [
        ", ".join(str(_at(term, "alias") or _at(term, "id") or "") for term in _list(inputs, "spec.amiSelectorTerms"))
    ]


def _node_group(inputs: Any) -> list[str]:
    return [
        ", ".join(map(str, _list(inputs, "instanceTypes"))),
        str(_at(inputs, "capacityType") or "").lower().replace("_", "-"),
        _range(_at(inputs, "scalingConfig.minSize"), _at(inputs, "scalingConfig.maxSize"), "nodes"),
        _if(_at(inputs, "amiType"), "{}"),
    ]


def _launch_template(inputs: Any) -> list[str]:
    return [_if(_at(inputs, "instanceType"), "{}"), _if(_at(inputs, "imageId"), "{}")]


def _attachment(inputs: Any) -> list[str]:
    return [str(_at(inputs, "policyArn") or "").rpartition("/")[2]]


def _provider(inputs: Any) -> list[str]:
    keys = ("context", "region", "namespace")
    return [f"{key} {inputs[key]}" for key in keys if isinstance(inputs.get(key), str)]


_DESCRIBE: dict[str, Callable[[Any], list[str]]] = {
    "Deployment": _workload,
    "StatefulSet": _workload,
    "DaemonSet": _workload,
    "ReplicaSet": _workload,
    "Job": _workload,
    "InferenceService": _inference_service,
    "Rollout": _rollout,
    "Service": _service,
    "ConfigMap": _config,
    "Secret": _config,
    "HorizontalPodAutoscaler": _autoscaler,
    "ScaledObject": _scaled_object,
    "VirtualService": _routes,
    "DestinationRule": _subsets,
    "Gateway": _gateway,
    "PrometheusRule": _rules,
    "ServiceMonitor": _monitor,
    "PodMonitor": _monitor,
    "PodDisruptionBudget": _budget,
    "NetworkPolicy": _network_policy,
    "ServiceAccount": _account,
    "PersistentVolumeClaim": _claim,
    "NodePool": _node_pool,
    "EC2NodeClass": _node_class,
    "NodeGroup": _node_group,
    "LaunchTemplate": _launch_template,
    "RolePolicyAttachment": _attachment,
    "kubernetes": _provider,
    "aws": _provider,
}
