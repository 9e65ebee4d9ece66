"""What a cluster lacks of what a stack and its specs need: a function of what was seen, and of nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..infra.placement import POOL_LABEL
from ..spec.nodes import NodePool
from ..spec.stack import Capability, StackConfig
from .capabilities import Verdict, offered, verdicts
from .needs import Need
from .seen import Permission, Seen


@dataclass(frozen=True)
class Problem:
    """Something that keeps the stack from working in this cluster, and what to do about it."""

    message: str
    remedy: str


@dataclass(frozen=True)
class Report:
    """What was found; ``has`` is the list for the stack's config."""

    stack_name: str
    version: str
    verdicts: tuple[Verdict, ...]
    needs: Mapping[Capability, tuple[Need, ...]]
    claimed: tuple[Capability, ...]
    has: tuple[Capability, ...]
    problems: tuple[Problem, ...]

    @property
    def needed(self) -> tuple[Verdict, ...]:
        """What is not there, though the specs need it or the stack's config says that it is."""
        return tuple(
            each
            for each in self.verdicts
            if each.state == "lacks" and (self.needs.get(each.capability) or each.capability in self.claimed)
        )

    @property
    def is_fine(self) -> bool:
        return not self.needed and not self.problems


def examine(
    seen: Seen,
    stack_name: str,
    stack: StackConfig,
    claimed: tuple[Capability, ...],
    pools: Mapping[str, NodePool],
    needs: Mapping[Capability, tuple[Need, ...]],
) -> Report:
    """``claimed`` is what the stack's config says that there is; ``pools`` are by the name of what uses them."""
    found = verdicts(seen)
    has = tuple(offered(found, claimed))
    problems = (
        *_namespace(seen, stack),
        *_permissions(seen.refused),
        *_nodes(seen, pools),
        *(_selected(seen, stack) if "prometheus-operator" in has else ()),
    )
    return Report(stack_name, seen.version, found, needs, claimed, has, problems)


def _namespace(seen: Seen, stack: StackConfig) -> Iterator[Problem]:
    if seen.namespace_exists is False and not stack.cluster.create_namespace:
        name = stack.cluster.namespace
        yield Problem(
            f"there is no namespace {name}",
            f"kubectl create namespace {name}, or write create_namespace: true in slipform:cluster",
        )


def _permissions(refused: frozenset[Permission]) -> Iterator[Problem]:
    """One a kind and namespace, with all its verbs."""
    verbs: dict[tuple[str, str, str | None], list[str]] = {}
    for each in sorted(refused, key=lambda each: (each.namespace or "", each.api_version, each.kind, each.verb)):
        verbs.setdefault((each.api_version, each.kind, each.namespace), []).append(each.verb)
    for (api_version, kind, namespace), refusals in verbs.items():
        where = f"in namespace {namespace}" if namespace else "in the cluster"
        role = "Role" if namespace else "ClusterRole"
        yield Problem(
            f"you may not {', '.join(refusals)} {kind} ({api_version}) {where}",
            f"a {role} that allows it, bound to whoever runs pulumi up",
        )


def _nodes(seen: Seen, pools: Mapping[str, NodePool]) -> Iterator[Problem]:
    for name, pool in pools.items():
        if seen.nodes is None or pool.provisioner != "existing":
            continue
        labels = pool.labels.items()
        if not any(labels <= node.labels.items() for node in seen.nodes):
            wanted = ", ".join(f"{key}={value}" for key, value in labels)
            near = {node.labels.get(POOL_LABEL) for node in seen.nodes} - {None}
            yield Problem(
                f"no node has the labels by which {name} finds its machines: {wanted}",
                f"kubectl label node NODE {wanted.replace(', ', ' ')}"
                + (f"; the pools here: {', '.join(sorted(str(each) for each in near))}" if near else ""),
            )


def _selected(seen: Seen, stack: StackConfig) -> Iterator[Problem]:
    """Rules and monitors that no Prometheus takes up are the usual reason for an alert that never fires."""
    if not seen.prometheuses:
        if seen.prometheuses == ():
            yield Problem(
                "the Prometheus Operator is there, but no Prometheus that it runs",
                "make one (kube-prometheus-stack does), or remove prometheus-operator from slipform:has",
            )
        return
    ours = stack.prometheus.labels.items()
    if any(each.rule_labels.items() <= ours and each.monitor_labels.items() <= ours for each in seen.prometheuses):
        return
    first = seen.prometheuses[0]
    labels = ", ".join(f"{key}: {value}" for key, value in {**first.rule_labels, **first.monitor_labels}.items())
    yield Problem(
        f"Prometheus {first.name} takes up only rules and monitors with labels that slipform:prometheus does not give",
        f"write labels: {{{labels}}} in slipform:prometheus",
    )
