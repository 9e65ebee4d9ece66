"""Do the replicas fit the machines, and the machines the replicas?"""

from __future__ import annotations

from collections.abc import Iterator

from ..spec.findings import FieldPath, Finding, did_you_mean
from ..spec.instances import Instance, capacity
from ..spec.modelspec import ModelSpec
from ..spec.nodes import NodePool, PoolReference
from ..spec.room import room_on
from ..spec.stack import StackConfig
from ..spec.units import Cpu, Memory


def pool_of(spec: ModelSpec, stack: StackConfig | None) -> NodePool | None:
    """The machines that the spec asks for, its own or the stack's; None where it names none or the stack is unknown."""
    if isinstance(spec.nodes, PoolReference):
        return stack.node_pools.get(spec.nodes.pool) if stack else None
    return spec.nodes


def problems(spec: ModelSpec, stack: StackConfig | None) -> Iterator[Finding]:
    """What does not fit, as far as the machines are known."""
    if isinstance(spec.nodes, PoolReference) and stack is not None and spec.nodes.pool not in stack.node_pools:
        pools = sorted(stack.node_pools)
        yield Finding(
            f"the stack has no pool {spec.nodes.pool!r}",
            path=("nodes", "pool"),
            given=spec.nodes.pool,
            allowed=", ".join(pools) or "none: slipform:node_pools is empty",
            remedy=did_you_mean(spec.nodes.pool, pools, "add it to slipform:node_pools"),
        )
    if spec.nodes is None and spec.build and spec.build.target == "tensorrt":
        yield Finding(
            "a TensorRT engine runs on one GPU architecture, and any GPU node may get this model",
            path=("nodes",),
            remedy="add nodes: {pool: NAME}, or {provisioner: existing, labels: …}",
        )
    pool = pool_of(spec, stack)
    if pool is None:
        return
    machines = {name: machine for name in pool.instance_types if (machine := capacity(name))}
    yield from _accelerators(spec, machines)
    yield from _room(spec, pool, machines)
    yield from _enough(spec, pool, machines)


def _at(spec: ModelSpec) -> FieldPath:
    return ("nodes", "pool") if isinstance(spec.nodes, PoolReference) else ("nodes", "instance_types")


def _accelerators(spec: ModelSpec, machines: dict[str, Instance]) -> Iterator[Finding]:
    wanted = spec.serving.resources.accelerator
    if not machines:
        return
    if wanted is None:
        with_gpu = [name for name, machine in machines.items() if machine.accelerator]
        if with_gpu:
            yield Finding(
                f"{', '.join(with_gpu)} has a GPU, and the model asks for none",
                path=_at(spec),
                severity="warning",
                remedy=f"add resources.accelerator: {machines[with_gpu[0]].accelerator}, or choose other machines",
            )
        return
    for name, machine in machines.items():
        if machine.accelerator == wanted.kind and machine.accelerator_count >= wanted.count:
            continue
        has = f"{machine.accelerator_count} × {machine.accelerator}" if machine.accelerator else "no accelerator"
        yield Finding(
            f"{name} has {has}, and each replica asks for {wanted}",
            path=_at(spec),
            given=name,
            remedy="choose an instance type that has them, or another accelerator",
        )


def _room(spec: ModelSpec, pool: NodePool, machines: dict[str, Instance]) -> Iterator[Finding]:
    resources = spec.serving.resources
    for name, machine in machines.items():
        room = room_on(machine, pool.provisioner)
        if resources.cpu.millicores > room.millicores:
            yield Finding(
                f"{name} leaves {Cpu(room.millicores)} to pods, after the kubelet's reserve",
                path=("serving", "resources", "cpu"),
                given=str(resources.cpu),
                allowed=f"at most {Cpu(room.millicores)}, less what DaemonSets take",
                remedy="ask for less, or choose a larger instance type",
            )
        if resources.memory.bytes > room.memory:
            left = Memory(room.memory // 2**20 * 2**20)
            yield Finding(
                f"{name} leaves {left} to pods, after the kubelet's reserve",
                path=("serving", "resources", "memory"),
                given=str(resources.memory),
                allowed=f"at most {left}, less what DaemonSets take",
                remedy="ask for less, or choose a larger instance type",
            )


def _enough(spec: ModelSpec, pool: NodePool, machines: dict[str, Instance]) -> Iterator[Finding]:
    fits = [room_on(machine, pool.provisioner).replicas(spec.serving.resources) for machine in machines.values()]
    if not fits or not min(fits):
        return
    room = pool.max_nodes * max(fits)
    # While a rollout is under way both versions have their replicas.
    wanted = spec.scaling.max_replicas * (2 if spec.rollout else 1)
    if room < wanted:
        both = " of each version" if spec.rollout else ""
        yield Finding(
            f"{spec.scaling.max_replicas} replicas{both} do not fit {pool.max_nodes} nodes "
            f"with room for {max(fits)} each",
            path=("scaling", "max_replicas"),
            severity="warning",
            given=str(spec.scaling.max_replicas),
            allowed=f"{room // (2 if spec.rollout else 1)}",
            remedy=f"raise nodes.max_nodes to {-(-wanted // max(fits))}, or lower max_replicas",
        )
