"""Are the instance types whose prices a stack states ones that there are?"""

from __future__ import annotations

from collections.abc import Iterator

from ..spec import instances
from ..spec.cost import NodeCost
from ..spec.findings import FieldPath, Finding, did_you_mean
from ..spec.stack import StackConfig


def stack_problems(stack: StackConfig) -> Iterator[Finding]:
    """A price of a type that is misspelt would be taken for nothing."""
    named: dict[FieldPath, str] = {("cost", "prices", kind): kind for kind in stack.cost.prices}
    nodes: dict[FieldPath, NodeCost] = {("cost", "nodes", name): node for name, node in stack.cost.nodes.items()}
    if stack.cost.default_node is not None:
        nodes["cost", "default_node"] = stack.cost.default_node
    named |= {(*path, "instance_type"): node.instance_type for path, node in nodes.items() if node.instance_type}
    for path, kind in named.items():
        if kind not in instances.names():
            yield Finding(
                f"EC2 has no instance type {kind!r}",
                path=path,
                given=kind,
                remedy=did_you_mean(kind, instances.names(), "`aws ec2 describe-instance-types` lists them"),
            )
