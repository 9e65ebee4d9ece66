"""A copy of this repository's project on the tests' cluster: what Slipform foretells of it, what the engine does."""

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml
from tests.cluster import nodes
from tests.cluster.api import Object
from tests.cluster.engine import Engine
from tests.cluster.manifests import POOL, REPOSITORY, apply_all, command, pools, preconditions
from tests.cluster.plane import Plane

from slipform.plan import Graph, Resource, diff, run

NOTHING = Graph("slipform", "", ())
_KEY = bytes(16)  # one for all plans, so that their secrets compare
Steps = dict[str, str]


class Project:
    """The project's folder, one of its stacks, and the engine; `there` is the plan of what the engine made last."""

    def __init__(self, root: Path, stack: str, engine: Engine, plane: Plane, room: ExitStack) -> None:
        self.root, self.stack, self.engine, self.plane = root, stack, engine, plane
        self.there = NOTHING
        self._room = room

    def plan(self) -> Graph:
        """What `slipform plan` makes of the files as they are."""
        return run(self.root, self.stack, fingerprint_key=_KEY)

    def preview(self) -> tuple[Steps, Steps]:
        """What the diff foretells of the files as they are, and what the engine would do."""
        return foretold(self.there, self.plan()), without_stack(self.engine.preview().steps)

    def up(self) -> tuple[Steps, Steps]:
        """What the diff foretold, and what the engine did."""
        planned = self.plan()
        self.make_room(planned)
        done = without_stack(self.engine.up().steps)
        before, self.there = self.there, planned
        return foretold(before, planned), done

    def make_room(self, planned: Graph) -> None:
        """What the objects find in their cluster: namespaces, accounts that specs name, nodes of each pool."""
        found = objects_of(planned)
        assert apply_all(self.plane.api, preconditions(found)) == []
        there = {node["metadata"]["name"] for node in self.plane.api.list("v1", "Node")}
        missing = [node for node in roomy_nodes(found) if node["metadata"]["name"] not in there]
        self._room.enter_context(nodes.added(self.plane.api, *missing))

    def run(self, *arguments: str) -> Any:
        """The answer of a `slipform` command that writes JSON."""
        return json.loads(command(*arguments, "--stack", self.stack, "--format", "json", root=self.root))

    def change(self, file: str, *keys: str, to: Any) -> None:
        """Writes one field of a YAML file of the project."""
        path = self.root / file
        document = yaml.safe_load(path.read_text())
        place = document
        for key in keys[:-1]:
            place = place.setdefault(key, {})
        place[keys[-1]] = to
        path.write_text(yaml.safe_dump(document, sort_keys=False))

    def live(self, planned: Resource) -> Object:
        """A planned Kubernetes object as it is in the cluster."""
        inputs = planned.inputs
        metadata = inputs["metadata"]
        return self.plane.api.get(inputs["apiVersion"], inputs["kind"], metadata["name"], metadata.get("namespace"))


@contextmanager
def deployed(plane: Plane, stack: str, folder: Path) -> Iterator[Project]:
    """The repository's project with one stack pointed at the cluster; nothing of it is left there afterwards."""
    root, state = folder / "project", folder / "engine"
    for made in (root, state):
        made.mkdir()
    shutil.copy(REPOSITORY / "Pulumi.yaml", root)
    for name in ("stacks", "model_specs"):
        shutil.copytree(REPOSITORY / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    point_at(root / "stacks" / f"Pulumi.{stack}.yaml", plane)
    before = {found["metadata"]["name"] for found in plane.api.list("v1", "Namespace")}
    with ExitStack() as room:
        project = Project(root, stack, Engine(root, stack, state), plane, room)
        try:
            yield project
        finally:
            project.engine.destroy()
            left = {found["metadata"]["name"] for found in plane.api.list("v1", "Namespace")} - before
            for namespace in left:
                plane.api.delete("v1", "Namespace", namespace)
            plane.api.until("v1", "Namespace", lambda found: not left & found.keys())


def point_at(stack_file: Path, plane: Plane) -> None:
    """The stack's cluster is the tests' own, and nothing in it is protected, so that it can be taken down."""
    document = yaml.safe_load(stack_file.read_text())
    document["config"]["slipform:cluster"].update(context=plane.context, kubeconfig=str(plane.kubeconfig))
    document["config"].pop("slipform:protected", None)
    stack_file.write_text(yaml.safe_dump(document, sort_keys=False))


def objects_of(planned: Graph) -> list[Object]:
    return [dict(each.inputs) for each in planned.resources if each.type.startswith("kubernetes:")]


def roomy_nodes(objects: list[Object]) -> list[Object]:
    """Two large nodes for each pool: what fits where is no matter here."""
    return [
        nodes.node(f"roomy-{pool}-{number}", cpu="400", memory="4Ti", gpus=64 * has_gpus, labels={POOL: pool})
        for pool, has_gpus in {"none": False, **pools(objects)}.items()
        for number in range(2)
    ]


def without_stack(steps: Steps) -> Steps:
    return {urn: operation for urn, operation in steps.items() if "pulumi:pulumi:Stack" not in urn}


def foretold(before: Graph, after: Graph) -> Steps:
    """What `slipform diff` says of each resource by URN: same, create, update, replace or delete.

    The engine says "same" where only options differ, such as its protection; the diff shows those as well.
    """
    steps = {each.urn: "same" if each.urn in before.by_urn else "create" for each in after.resources}
    # Components are nothing but a name in the state, so a diff tells only of whole models that come and go.
    steps |= {each.urn: "delete" for each in before.resources if each.urn not in after.by_urn and not each.custom}
    for change in diff(before, after).changes:
        only_options = bool(change.fields) and all(each.field.path[0] == "options" for each in change.fields)
        if change.reasons or not only_options:
            steps[change.resource.urn] = change.action.value
    return steps


def differing(foretold: Steps, done: Steps) -> dict[str, str]:
    """Where the two are not one, by URN."""
    return {
        urn: f"foretold: {foretold.get(urn, 'nothing')}; done: {done.get(urn, 'nothing')}"
        for urn in sorted(foretold.keys() | done.keys())
        if foretold.get(urn) != done.get(urn)
    }
