"""Components of a platform team's own."""

import pulumi
import pulumi_kubernetes as k8s


class Serving(pulumi.ComponentResource):
    def __init__(self, name, replicas, nodes, token, opts=None):
        super().__init__("models:serving:Serving", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        labels = {"app": name}
        config = k8s.core.v1.ConfigMap(
            f"{name}-config",
            metadata={"name": f"{name}-config"},
            data={"config.pbtxt": f'name: "{name}"\nmax_batch_size: 32\n'},
            opts=child,
        )
        secret = k8s.core.v1.Secret(
            f"{name}-token", metadata={"name": f"{name}-token"}, string_data={"token": token}, opts=child
        )
        self.deployment = k8s.apps.v1.Deployment(
            f"{name}-server",
            metadata={"name": name, "labels": labels},
            spec=k8s.apps.v1.DeploymentSpecArgs(
                replicas=replicas,
                selector={"match_labels": labels},
                template={
                    "metadata": {"labels": labels, "annotations": {"weight": "1.0", "fraction": str(nodes["limit"])}},
                    "spec": {
                        "node_selector": {"pool": nodes["pool"]},
                        "containers": [
                            {
                                "name": "server",
                                "image": "registry.example/triton:26.01",
                                "ports": [{"container_port": 8000, "name": "http"}],
                                "resources": {
                                    "requests": {"cpu": "3", "memory": "8Gi"},
                                    "limits": {"memory": "8Gi", "nvidia.com/gpu": "1"},
                                },
                                "env_from": [{"secret_ref": {"name": secret.metadata.name}}],
                            }
                        ],
                        "volumes": [{"name": "config", "config_map": {"name": config.metadata.name}}],
                    },
                },
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                ignore_changes=["spec.replicas"],
                custom_timeouts=pulumi.CustomTimeouts(create="30m"),
                aliases=[pulumi.Alias(name=f"{name}-deployment")],
            ),
        )
        self.service = k8s.core.v1.Service(
            f"{name}-service",
            metadata={"labels": labels},
            spec={"selector": labels, "ports": [{"name": "http", "port": 80, "target_port": 8000}]},
            opts=child,
        )
        self.register_outputs({"service": self.service.metadata.name})


class Model(pulumi.ComponentResource):
    def __init__(self, name, replicas, nodes, token, opts=None):
        super().__init__("models:index:Model", name, None, opts)
        self.serving = Serving(name, replicas, nodes, token, opts=pulumi.ResourceOptions(parent=self))
        Rollout(name, self.serving, opts=pulumi.ResourceOptions(parent=self))
        self.url = self.serving.service.metadata.name.apply(lambda service: f"http://{service}.serving")
        self.register_outputs({"url": self.url})


class Rollout(pulumi.ComponentResource):
    def __init__(self, name, serving, opts=None):
        super().__init__("models:traffic:Rollout", name, None, opts)
        k8s.apiextensions.CustomResource(
            f"{name}-route",
            api_version="networking.istio.io/v1",
            kind="VirtualService",
            metadata={"name": name},
            spec={"hosts": [name], "http": [{"route": [{"destination": {"host": name}, "weight": 100}]}]},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[serving]),
        )
        self.register_outputs({})
