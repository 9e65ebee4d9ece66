"""Twenty resources a model, of the kinds and sizes that a real one has."""

import os

import pulumi
import pulumi_kubernetes as k8s


class Part(pulumi.ComponentResource):
    def __init__(self, kind, name, opts=None):
        super().__init__(f"bench:parts:{kind}", name, None, opts)


def model(name):
    top = Part("Model", name)
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "bench"}
    serving, scaling, traffic, rules = (
        Part(kind, f"{name}-{kind.lower()}", pulumi.ResourceOptions(parent=top))
        for kind in ("Serving", "Autoscaler", "Route", "Rules")
    )
    under = pulumi.ResourceOptions(parent=serving)
    for index in range(4):
        k8s.core.v1.ConfigMap(
            f"{name}-config-{index}",
            metadata={"name": f"{name}-config-{index}", "labels": labels},
            data={"config.pbtxt": "".join(f"line {line} of the config of {name}\n" for line in range(40))},
            opts=under,
        )
    account = k8s.core.v1.ServiceAccount(f"{name}-account", metadata={"name": name, "labels": labels}, opts=under)
    deployments = [
        k8s.apps.v1.Deployment(
            f"{name}-v{version}",
            metadata={"name": f"{name}-v{version}", "labels": labels},
            spec={
                "selector": {"match_labels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "service_account_name": account.metadata.name,
                        "containers": [
                            {
                                "name": "server",
                                "image": "registry.example/server:1",
                                "env": [{"name": f"VARIABLE_{each}", "value": str(each)} for each in range(10)],
                                "ports": [{"name": "http", "container_port": 8000}],
                                "resources": {"requests": {"cpu": "1", "memory": "1Gi"}},
                            }
                        ],
                    },
                },
            },
            opts=under,
        )
        for version in (1, 2)
    ]
    for port in (8000, 8001, 8002):
        k8s.core.v1.Service(
            f"{name}-{port}",
            metadata={"name": f"{name}-{port}", "labels": labels},
            spec={"selector": labels, "ports": [{"port": port}]},
            opts=under,
        )
    k8s.autoscaling.v2.HorizontalPodAutoscaler(
        f"{name}-autoscaler",
        metadata={"name": name, "labels": labels},
        spec={
            "scale_target_ref": {"api_version": "apps/v1", "kind": "Deployment", "name": deployments[0].metadata.name},
            "max_replicas": 10,
        },
        opts=pulumi.ResourceOptions(parent=scaling),
    )
    for kind in ("VirtualService", "DestinationRule"):
        k8s.apiextensions.CustomResource(
            f"{name}-{kind.lower()}",
            api_version="networking.istio.io/v1",
            kind=kind,
            metadata={"name": name, "labels": labels},
            spec={"hosts": [name]},
            opts=pulumi.ResourceOptions(parent=traffic, depends_on=[serving]),
        )
    for each in ("recording", "alerts"):
        k8s.apiextensions.CustomResource(
            f"{name}-{each}",
            api_version="monitoring.coreos.com/v1",
            kind="PrometheusRule",
            metadata={"name": f"{name}-{each}", "labels": labels},
            spec={"groups": [{"name": name, "rules": [{"record": f"r{n}", "expr": "sum(x)"} for n in range(10)]}]},
            opts=pulumi.ResourceOptions(parent=rules),
        )
    top.register_outputs({"name": name})


for index in range(int(os.environ.get("SLIPFORM_BENCH_MODELS", "1"))):
    model(f"model-{index}")
