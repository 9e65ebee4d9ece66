"""When an object counts as done, as the real plugin sees it: a Deployment, a Job and a Service are waited for, and
whatever names a condition of its own.
"""

from collections.abc import Callable
from functools import partial

from tests.cluster.api import Api, Object

SKIP = "pulumi.com/skipAwait"
TIMEOUT = "pulumi.com/timeoutSeconds"
WAIT_FOR, CONDITION = "pulumi.com/waitFor", "condition="
# The real plugin waits 10 minutes; what is not ready after this time in a test never will be.
DEFAULT_TIMEOUT = 60.0


class Failed(Exception):
    """The object will not become what it should be."""


def until_done(api: Api, applied: Object, timeout: float) -> None:
    """Waits for an applied object.

    Raises:
        Failed: it says itself that it failed, or the time is over.
    """
    metadata = applied["metadata"]
    annotations = metadata.get("annotations", {})
    done = _DONE.get((applied["apiVersion"], applied["kind"]))
    if (awaited := annotations.get(WAIT_FOR, "")).startswith(CONDITION):
        done = partial(_has_condition, awaited.removeprefix(CONDITION))
    if done is None or annotations.get(SKIP) == "true":
        return
    seconds = timeout or float(annotations.get(TIMEOUT, DEFAULT_TIMEOUT))
    version, kind, name = applied["apiVersion"], applied["kind"], metadata["name"]
    if kind == "Service":
        version, kind = "v1", "Endpoints"
    try:
        api.until(
            version, kind, lambda found: name in found and done(found[name], applied),
            namespace=metadata["namespace"], timeout=seconds,
        )  # fmt: skip
    except TimeoutError as error:
        # Like the real plugin, which does not end at a Deployment's own progress deadline, only repeats its word.
        raise Failed(f"{applied['kind']} {name} was not ready within {seconds:.0f} s: {error}") from error


def _is_rolled_out(deployment: Object, applied: Object) -> bool:
    status, replicas = deployment.get("status", {}), deployment["spec"].get("replicas", 1)
    if status.get("observedGeneration", 0) < applied["metadata"]["generation"]:
        return False
    return all(status.get(count, 0) == replicas for count in ("replicas", "updatedReplicas", "availableReplicas"))


def _is_complete(job: Object, _: Object) -> bool:
    for condition in job.get("status", {}).get("conditions", []):
        if condition["status"] == "True" and condition["type"] == "Failed":
            raise Failed(condition.get("message", "the job failed"))
        if condition["status"] == "True" and condition["type"] == "Complete":
            return True
    return False


def _has_endpoints(endpoints: Object, service: Object) -> bool:
    spec = service["spec"]
    if not spec.get("selector") or spec.get("type") == "ExternalName" or spec.get("clusterIP") == "None":
        return True
    return any(subset.get("addresses") for subset in endpoints.get("subsets", []))


def _has_condition(kind: str, found: Object, _: Object) -> bool:
    conditions = found.get("status", {}).get("conditions") or []
    return any(each["type"] == kind and each["status"] == "True" for each in conditions)


_DONE: dict[tuple[str, str], Callable[[Object, Object], bool]] = {
    ("apps/v1", "Deployment"): _is_rolled_out,
    ("batch/v1", "Job"): _is_complete,
    ("v1", "Service"): _has_endpoints,
}
