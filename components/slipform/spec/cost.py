"""``cost`` of a stack: its own prices, what is assumed where there is none, and how much its models may cost."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from .nodes import InstanceType
from .units import Cpu, Memory, refuse
from .vocabulary import Name, Part, PositiveFloat

Price = PositiveFloat


class NodeCost(Part):
    """A node that is there already: what it costs, and what it has; an instance type says both."""

    price: Price | None = Field(
        default=None, description="Per node and hour; absent: that of instance_type.", examples=[1.10]
    )
    instance_type: InstanceType | None = Field(
        default=None, description="The EC2 instance type that it is.", examples=["m7i.xlarge"]
    )
    cpu: Cpu | None = Field(default=None, description="Processors that pods may ask for.", examples=[31])
    memory: Memory | None = Field(default=None, description="Memory that pods may ask for.", examples=["240Gi"])
    accelerators: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Accelerators that it offers, slices of one counted as it counts them.", examples=[4]
    )

    @model_validator(mode="after")
    def _says_enough(self) -> Self:
        if self.price is None and self.instance_type is None:
            raise refuse("no price", remedy="write price: 1.10 (per node and hour), or instance_type: m7i.xlarge")
        if (self.cpu is None) != (self.memory is None):
            raise refuse("half of what the node has", allowed="cpu and memory together, or neither")
        if self.accelerators and self.cpu is None:
            raise refuse("accelerators without the rest", remedy="write cpu and memory as well")
        return self


class Cost(Part):
    """What machines cost where AWS' public prices are not what is paid, and the stack's budget."""

    prices: dict[InstanceType, Price] = Field(
        default={},
        description="Per instance and hour on demand, in place of AWS' public price: negotiated, or under a plan.",
        examples=[{"g6.xlarge": 0.70}],
    )
    spot_discount: Annotated[int, Field(ge=0, le=95)] = Field(
        default=60,
        description="Percent that a spot instance is assumed to cost less: its price moves with the hour, so this is "
        "an assumption; 0 is the most that it can cost.",
        examples=[60],
    )
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = Field(
        default="USD",
        description="What all amounts are in; AWS' public prices are dollars, so another one takes none of them.",
        examples=["EUR"],
    )
    nodes: dict[Name, NodeCost] = Field(
        default={},
        description="Nodes of a pool, by its name in node_pools, or of a model with nodes of its own, by the model's.",
        examples=[{"gpu-rack": {"price": 1.10, "cpu": 31, "memory": "240Gi", "accelerators": 4}}],
    )
    default_node: NodeCost | None = Field(
        default=None,
        description="The nodes of models that name none; absent: what those cost is not known.",
        examples=[{"instance_type": "m7i.xlarge"}],
    )
    max_monthly: Price | None = Field(
        default=None,
        description="All models together may cost this much a month, every autoscaler at its maximum; over it, "
        "`slipform plan` and `slipform diff` end with 3.",
        examples=[5000],
    )
    max_increase: Price | None = Field(
        default=None,
        description="One change may add this much a month; over it, `slipform diff` ends with 3.",
        examples=[500],
    )
