import pulumi
import pulumi_kubernetes as k8s
from parts import Model

config = pulumi.Config()
nodes = config.require_object("nodes")
cluster = k8s.Provider("cluster", context="dev", namespace="serving")
namespace = k8s.core.v1.Namespace(
    "serving",
    metadata={"name": "serving"},
    opts=pulumi.ResourceOptions(provider=cluster, protect=True),
)
for name in ("resnet50", "fraud"):
    model = Model(
        name,
        replicas=config.require_int("replicas"),
        nodes=nodes,
        token=config.require_secret("token"),
        opts=pulumi.ResourceOptions(providers=[cluster], depends_on=[namespace]),
    )
    pulumi.export(f"{name}-url", model.url)
pulumi.export("token", config.require_secret("token"))
pulumi.log.warn("20 replicas of one GPU on 10 one-GPU nodes")
print("printed by the program")
