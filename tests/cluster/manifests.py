"""What `slipform plan --render` writes for this repository's stacks, and the nodes that its pods need."""

import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.cluster import nodes
from tests.cluster.api import Api, DynamicApiError, Object

REPOSITORY = Path(__file__).parents[2]
STACKS = sorted(path.name.split(".")[1] for path in (REPOSITORY / "stacks").glob("Pulumi.*.yaml"))
POOL = "slipform.dev/pool"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # eight times as fast


@dataclass(frozen=True)
class Rendered:
    """One stack's manifests, in the order in which they were written."""

    stack: str
    folder: Path
    objects: list[Object]

    def of_kind(self, *kinds: str) -> list[Object]:
        return [found for found in self.objects if found["kind"] in kinds]


def render(stack: str, folder: Path, root: Path = REPOSITORY) -> Rendered:
    """Runs the command line as a user does."""
    command("plan", "--stack", stack, "--render", str(folder), root=root)
    return Rendered(stack, folder, read(folder))


def read(folder: Path) -> list[Object]:
    """The manifests of a folder, in the order in which kubectl takes them."""
    files = sorted(folder.glob("*.yaml"))
    return [found for file in files for found in yaml.load_all(file.read_text(), _LOADER) if found]


def command(*arguments: str, root: Path = REPOSITORY) -> str:
    """What a `slipform` command prints."""
    program = [sys.executable, "-m", "slipform.cli.main", *arguments]
    done = subprocess.run(program, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"slipform {' '.join(arguments)} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def stack_config(stack: str, root: Path = REPOSITORY) -> Object:
    config: Object = yaml.safe_load((root / "stacks" / f"Pulumi.{stack}.yaml").read_text())["config"]
    return config


def apply_all(api: Api, objects: Iterable[Object]) -> list[str]:
    """Applies every object; returns what the server refused, so that one run shows all of it."""
    refused = []
    for manifest in objects:
        try:
            api.apply(manifest)
        except DynamicApiError as error:
            refused.append(f"{label(manifest)}: {error}")
    return refused


def preconditions(objects: Sequence[Object]) -> list[Object]:
    """What a user has in the cluster before: the namespaces, and the service accounts that specs name."""

    def of_kind(*kinds: str) -> list[Object]:
        return [found for found in objects if found["kind"] in kinds]

    made = {(found["metadata"]["namespace"], found["metadata"]["name"]) for found in of_kind("ServiceAccount")}
    named = {
        (found["metadata"]["namespace"], account)
        for found in of_kind("Deployment", "Job")
        if (account := found["spec"]["template"]["spec"].get("serviceAccountName"))
    }
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in sorted(namespaces(objects))
    ] + [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}
        for namespace, name in sorted(named - made)
    ]  # fmt: skip


def namespaces(objects: Iterable[Object]) -> set[str]:
    """The namespaces that the objects are for and do not make themselves."""
    made = {found["metadata"]["name"] for found in objects if found["kind"] == "Namespace"}
    return {found["metadata"]["namespace"] for found in objects if "namespace" in found["metadata"]} - made


def label(manifest: Object) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def pod_templates(objects: Iterable[Object]) -> list[Object]:
    return [found["spec"]["template"] for found in objects if found["kind"] in ("Deployment", "Job")]


def nodes_for(objects: Iterable[Object], each: int = 8) -> list[Object]:
    """Nodes as the stack's pools would make them: one group for each pool that a pod asks for, with GPUs if it does.

    Every node is one of 4 CPUs and 16 GiB, a g6.xlarge less what its kubelet keeps, so that what does not fit there
    shows here too.
    """
    return [
        nodes.node(f"{pool}-{number}", cpu="3920m", memory="14Gi", gpus=int(has_gpus), labels={POOL: pool})
        for pool, has_gpus in pools(objects).items()
        for number in range(each)
    ]


def pools(objects: Iterable[Object]) -> dict[str, bool]:
    """The pools that pods ask for, and whether any of those pods asks for GPUs."""
    found: dict[str, bool] = {}
    for template in pod_templates(objects):
        pool = template["spec"].get("nodeSelector", {}).get(POOL)
        if pool is not None:
            found[pool] = found.get(pool, False) or gpus(template["spec"]) > 0
    return dict(sorted(found.items()))


def gpus(pod_spec: Object) -> int:
    return sum(
        int(container.get("resources", {}).get("limits", {}).get(nodes.GPU, 0)) for container in pod_spec["containers"]
    )
