"""A pod's status, as its containers' states make it."""

from collections.abc import Mapping
from datetime import UTC, datetime

from tests.cluster.api import Object
from tests.cluster.node.container import State

OWN = ("Initialized", "ContainersReady", "Ready", "PodReadyToStartContainers")
"""The conditions that a kubelet sets; others, such as PodScheduled, are left as they are."""


def pod_status(pod: Object, address: str, inits: Mapping[str, State], states: Mapping[str, State]) -> Object:
    """The status of a pod with this address, by the states of its init containers and its containers."""
    spec, images = pod["spec"], _images(pod)
    initialized = all(state.exit_code == 0 for state in inits.values())
    ready = initialized and all(state.ready for state in states.values())
    gates = [gate["conditionType"] for gate in spec.get("readinessGates", [])]
    true = {found["type"] for found in _conditions(pod) if found["status"] == "True"}
    facts = {
        "PodReadyToStartContainers": True, "Initialized": initialized, "ContainersReady": ready,
        "Ready": ready and true.issuperset(gates),
    }  # fmt: skip
    return {
        "phase": phase(spec.get("restartPolicy", "Always"), inits, states),
        "hostIP": "127.0.0.1", "hostIPs": [{"ip": "127.0.0.1"}], "podIP": address, "podIPs": [{"ip": address}],
        "startTime": pod.get("status", {}).get("startTime") or _now(),
        "conditions": _merged(_conditions(pod), facts),
        "initContainerStatuses": [_container(name, images[name], state, init=True) for name, state in inits.items()],
        "containerStatuses": [_container(name, images[name], state) for name, state in states.items()],
    }  # fmt: skip


def phase(restart_policy: str, inits: Mapping[str, State], states: Mapping[str, State]) -> str:
    """Pending until all containers have been started once; over when none is to run again."""
    if restart_policy != "Always":
        if any(state.exit_code for state in inits.values()) and restart_policy == "Never":
            return "Failed"
        codes = [state.exit_code for state in states.values()]
        if all(code is not None and (restart_policy == "Never" or code == 0) for code in codes):
            return "Failed" if any(codes) else "Succeeded"
    begun = all("waiting" not in state.now or state.restarts for state in states.values())
    return "Running" if begun else "Pending"


def _container(name: str, image: str, state: State, *, init: bool = False) -> Object:
    return {
        "name": name, "image": image, "imageID": image, "restartCount": state.restarts,
        "started": state.started, "ready": state.exit_code == 0 if init else state.ready,
        "state": state.now, "lastState": state.last,
        **({"containerID": f"process://{state.pid}"} if state.pid else {}),
    }  # fmt: skip


def _merged(before: list[Object], facts: Mapping[str, bool]) -> list[Object]:
    """The conditions with these facts in them; one that did not change keeps the time of its last change."""
    old = {found["type"]: found for found in before}
    made = [found for found in before if found["type"] not in OWN]
    for kind, holds in facts.items():
        status = str(holds)
        same = old.get(kind, {}).get("status") == status
        made.append({"type": kind, "status": status, "lastProbeTime": None,
                     "lastTransitionTime": old[kind]["lastTransitionTime"] if same else _now()})  # fmt: skip
    return made


def _conditions(pod: Object) -> list[Object]:
    return pod.get("status", {}).get("conditions") or []


def _images(pod: Object) -> dict[str, str]:
    containers = pod["spec"].get("initContainers", []) + pod["spec"]["containers"]
    return {container["name"]: container["image"] for container in containers}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
