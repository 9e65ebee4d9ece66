"""Which machines a server's replicas run on, what each has room for, and what it costs per hour."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from ..review.capacity import pool_of
from ..spec import instances
from ..spec.cost import NodeCost
from ..spec.modelspec import ModelSpec
from ..spec.nodes import NodePool, PoolReference
from ..spec.room import Room, room_on
from ..spec.serving import Resources
from ..spec.stack import StackConfig
from . import prices


class Unknown(Exception):
    """What a machine costs is not known: why, and what to write."""


@dataclass(frozen=True)
class Machine:
    """One kind of machine."""

    name: str
    per_hour: Decimal
    room: Room

    def share(self, resources: Resources) -> Fraction:
        """The part of it that a replica pays for: of what it takes most of. Of a machine that it does not fit, all."""
        if not self.room.replicas(resources):
            return Fraction(1)
        return max(Fraction(taken, there) for taken, there in self.room.parts(resources))


@dataclass(frozen=True)
class Machines:
    """Those that replicas may get: the cheapest is taken. ``shared`` with other models: a replica pays its share.

    Of machines of the model's own there are ``fewest`` to ``limit``, whole ones.
    """

    kinds: tuple[Machine, ...]
    pool: str
    shared: bool
    spot: bool = False
    fewest: int = 0
    limit: int | None = None


def machines_of(spec: ModelSpec, stack: StackConfig) -> Machines:
    """Of the server that the spec speaks for. Raises Unknown."""
    pool = pool_of(spec, stack)
    if pool is None:
        if stack.cost.default_node is None:
            raise Unknown("it names no nodes: write slipform:cost.default_node, the nodes of models that name none")
        return Machines((_there("a node", stack.cost.default_node, None, stack),), "", shared=True)
    name = spec.nodes.pool if isinstance(spec.nodes, PoolReference) else spec.server
    own = not isinstance(spec.nodes, PoolReference) and pool.provisioner != "existing"
    stated = stack.cost.nodes.get(name)
    kinds = (_there(name, stated, pool, stack),) if stated else _bought(name, pool, stack)
    return Machines(
        kinds,
        pool="" if own else name,
        shared=not own,
        spot=pool.capacity == "spot" and stated is None,
        fewest=pool.min_nodes if own else 0,
        limit=_limit(pool, stack) if own else None,
    )


def _limit(pool: NodePool, stack: StackConfig) -> int:
    """A managed node group stays as small as it starts where nothing makes it grow."""
    stays = pool.provisioner == "eks" and stack.lacks("cluster-autoscaler")
    return pool.min_nodes if stays else pool.max_nodes


def _there(name: str, node: NodeCost, pool: NodePool | None, stack: StackConfig) -> Machine:
    """A node whose price or size the stack's config states."""
    written = f"slipform:cost.nodes.{name}" if pool else "slipform:cost.default_node"
    of_pool = pool.instance_types if pool else ()
    kind = node.instance_type or (of_pool[0] if of_pool else None)
    if node.cpu is not None and node.memory is not None:
        room = Room(node.cpu.millicores, node.memory.bytes, node.accelerators)
    elif kind is None:
        raise Unknown(f"what a node of {name} has is not known: add cpu and memory to {written}")
    else:
        room = _room(kind, pool, f"add cpu and memory to {written}")
    # A price that is stated for the pool is what is paid there, however it is bought.
    price = Decimal(str(node.price)) if node.price is not None else _price(str(kind), stack)
    return Machine(kind or name, price, room)


def _bought(name: str, pool: NodePool, stack: StackConfig) -> tuple[Machine, ...]:
    """Karpenter takes the cheapest of the types that do; a managed node group the first, and existing nodes are one."""
    written = f"write slipform:cost.nodes.{name}: its price, cpu, memory"
    if not pool.instance_types:
        raise Unknown(f"nothing is known of the nodes of {name}: {written}")
    unknown: list[Unknown] = []
    found: list[Machine] = []
    for kind in pool.instance_types if pool.provisioner == "karpenter" else pool.instance_types[:1]:
        try:
            price, room = _price(kind, stack), _room(kind, pool, written)
        except Unknown as reason:
            unknown.append(reason)
            continue
        paid = price * (100 - stack.cost.spot_discount) / 100 if pool.capacity == "spot" else price
        found.append(Machine(kind, paid, room))
    if not found:
        raise unknown[0]
    return tuple(found)


def _room(kind: str, pool: NodePool | None, remedy: str) -> Room:
    machine = instances.capacity(kind)
    if machine is None:
        raise Unknown(f"what {kind} has is not known: {remedy}")
    return room_on(machine, pool.provisioner if pool else None)


def _price(kind: str, stack: StackConfig) -> Decimal:
    """Of an instance on demand: the stack's own, else AWS' public one."""
    if kind in stack.cost.prices:
        return Decimal(str(stack.cost.prices[kind]))
    remedy = f"write slipform:cost.prices: {{{kind}: …}}, per hour"
    if stack.cost.currency != "USD":
        raise Unknown(f"no price of {kind} in {stack.cost.currency}: {remedy}")
    if stack.cluster.aws is None:
        raise Unknown(f"no price of {kind}, since the stack names no AWS region: {remedy}")
    region = stack.cluster.aws.region
    price = prices.on_demand(kind, region)
    if price is None:
        since = f" as of {day}" if (day := prices.day(region)) else ""
        raise Unknown(f"no public price of {kind} in {region}{since}: {remedy}, or choose a type that is offered there")
    return price
