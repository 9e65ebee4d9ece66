"""Only what can differ is planned, and the change reads the same as if all had been."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from slipform import plan
from slipform.infra import program
from slipform.plan import checkout, project, record, revisions, short_way, stack_config
from slipform.plan.graph import make
from slipform.project import Project
from slipform.spec.findings import SlipformError
from slipform.spec.stack import StackConfig

from .test_revisions import git

REPOSITORY = Path(__file__).parents[2]
PROGRAM = (REPOSITORY / "stacks" / "__main__.py").read_text(encoding="utf-8")
STACK = """
config:
  slipform:cluster:
    context: kind
    namespace: models
    aws:
      account: "123456789012"
      region: eu-west-1
      cluster_name: models
      oidc_provider: oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF
  slipform:has: [istio, prometheus-operator, prometheus-adapter, metrics-server]
  slipform:images:
    runtime: registry.example.com/runtime@sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945
    triton: nvcr.io/nvidia/tritonserver@sha256:1f0a0e2b8e8f0a8f8f2f1e3d4c5b6a79808f7e6d5c4b3a291807f6e5d4c3b2a1
    triton_release: "26.08"
  slipform:gateway: {namespace: istio-system, tls_secret: models-tls}
"""


def spec(
    name: str,
    *,
    engine: str = "fastapi",
    server: str = "",
    host: str = "",
    replicas: int = 2,
    more: str = "",
    store: str = "https",
) -> str:
    shared = f", server: {server}" if server else ""
    expose = f"expose: {{host: {host}.example.com}}\n" if host else ""
    return f"""\
slipform: v1
name: {name}
team: vision
model:
  format: onnx
  uri: {store}://models.example.com/{name}
  version: 1
  inputs: [{{name: x, dtype: FP32, shape: [4]}}]
  outputs: [{{name: y, dtype: FP32, shape: [3]}}]
serving: {{engine: {engine}{shared}, resources: {{cpu: 1, memory: 1Gi}}}}
scaling: {{min_replicas: 1, max_replicas: {replicas}}}
{expose}{more}"""


def write(root: Path, specs: Mapping[str, str]) -> None:
    """These spec files and no others."""
    for file in (root / "model_specs").glob("*.yaml"):
        file.unlink()
    for name, text in specs.items():
        (root / "model_specs" / f"{name}.yaml").write_text(text)


@contextmanager
def a_repository(specs: Mapping[str, str]) -> Iterator[Path]:
    """A project as `slipform new` makes it, committed."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve() / "models"
        for name in ("stacks", "model_specs"):
            (root / name).mkdir(parents=True)
        (root / "Pulumi.yaml").write_text("name: models\nruntime: python\nmain: stacks/\nstackConfigDir: stacks/\n")
        (root / "stacks" / "__main__.py").write_text(PROGRAM)
        (root / "stacks" / "Pulumi.dev.yaml").write_text(STACK)
        (root / ".gitignore").write_text("__pycache__/\nignored/\n")
        write(root, specs)
        git(root, "init", "-q", "-b", "main")
        git(root, "add", ".")
        git(root, "commit", "-qm", "models")
        yield root


@pytest.fixture
def repository() -> Iterator[Path]:
    local = spec("local").replace("https://models.example.com/local", "file:model_specs/models/local")
    with a_repository(
        {"a": spec("a"), "b": spec("b"), "c": spec("c", server="s"), "d": spec("d", server="s"), "local": local}
    ) as root:
        yield root


def servers(root: Path, head: str = "", stack: str = "dev") -> set[str] | None:
    base = git(root, "rev-parse", "main")
    with checkout.laid_out(root, (base, head)) as (before, after):
        found = short_way.servers(root, (base, head), (before, after), project.find(root), stack)
        return None if found is None else set(found)


def edited(file: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(root: Path) -> None:
        text = (root / file).read_text()
        assert old in text
        (root / file).write_text(text.replace(old, new))

    return edit


def written(file: str, text: str) -> Callable[[Path], None]:
    def edit(root: Path) -> None:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text)

    return edit


def renamed(old: str, new: str) -> Callable[[Path], object]:
    return lambda root: (root / old).rename(root / new)


MOVED = "stacks: {dev: {serving: {server: s}}}\n"
SHORT: list[tuple[str, Callable[[Path], object], set[str]]] = [
    ("nothing", lambda root: None, set()),
    ("a spec", edited("model_specs/a.yaml", "team: vision", "team: risk"), {"a"}),
    ("a comment", edited("model_specs/a.yaml", "team:", "# who?\nteam:"), {"a"}),
    ("a name", edited("model_specs/a.yaml", "name: a\n", "name: e\n"), {"a", "e"}),
    ("a new spec, two beside", written("model_specs/e.yaml", spec("e")), {"e", "a", "b"}),
    ("a removed spec, two beside", lambda root: (root / "model_specs/b.yaml").unlink(), {"b", "a", "s"}),
    ("a renamed file, two beside", renamed("model_specs/b.yaml", "model_specs/z.yaml"), {"b", "a", "s"}),
    ("one of two in a server", edited("model_specs/c.yaml", "version: 1", "version: 2"), {"s"}),
    ("a move between servers", edited("model_specs/c.yaml", "server: s", "server: t"), {"s", "t"}),
    ("a server of this stack", written("model_specs/a.yaml", spec("a", more=MOVED)), {"a", "s"}),
    ("a file that git ignores", written("ignored/notes.txt", "x"), set()),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "expected"), [case[1:] for case in SHORT], ids=[case[0] for case in SHORT])
def test_where_only_specs_differ_their_servers_are_planned_on_both_sides(
    repository: Path, edit: Callable[[Path], object], expected: set[str]
) -> None:
    edit(repository)
    # A spec that names files of the project is always planned: git does not know all of those.
    assert servers(repository) == expected | {"local"}


def test_between_two_commits_too(repository: Path) -> None:
    edited("model_specs/a.yaml", "team: vision", "team: risk")(repository)
    git(repository, "switch", "-qc", "change")
    git(repository, "commit", "-qam", "change")
    assert servers(repository, git(repository, "rev-parse", "change")) == {"a", "local"}


def test_a_stack_may_be_named_with_its_organization(repository: Path) -> None:
    written("model_specs/a.yaml", spec("a", more=MOVED))(repository)
    assert servers(repository, stack="acme/dev") == {"a", "s", "local"}


WHOLE: list[tuple[str, Callable[[Path], object]]] = [
    ("the program", edited("stacks/__main__.py", "project = load_project()", "project = load_project()\nx = 1")),
    ("the stack's config", edited("stacks/Pulumi.dev.yaml", "namespace: models", "namespace: others")),
    ("Pulumi.yaml", edited("Pulumi.yaml", "name: models", "name: others")),
    ("a component beside", written("stacks/component.py", "x = 1")),
    ("a lock file", written("requirements.txt", "pulumi==3.0")),
    ("a file of a model", written("model_specs/models/local/1/model.onnx", "x")),
    ("a page", written("README.md", "models")),
    ("a spec that is none", written("model_specs/a.yaml", "name: [")),
    ("the stack is not there", lambda root: (root / "stacks/Pulumi.dev.yaml").unlink()),
]


@pytest.mark.parametrize("edit", [case[1] for case in WHOLE], ids=[case[0] for case in WHOLE])
def test_where_anything_else_differs_all_is_planned(repository: Path, edit: Callable[[Path], object]) -> None:
    edited("model_specs/b.yaml", "team: vision", "team: risk")(repository)
    edit(repository)
    assert servers(repository) is None


def test_a_program_of_ones_own_is_always_planned_whole(repository: Path) -> None:
    edited("stacks/__main__.py", "model = ", "print(service.name)\n    model = ")(repository)
    git(repository, "commit", "-qam", "own")
    assert servers(repository) is None


def test_comments_and_a_description_do_not_make_a_program_ones_own(repository: Path) -> None:
    edited("stacks/__main__.py", '"""What a stack is made of', '# Ours.\n"""What our stacks are made of')(repository)
    git(repository, "commit", "-qam", "words")
    assert servers(repository) == {"local"}


def test_another_python_plans_all(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = repository.parent / "env" / "bin" / "python"
    monkeypatch.setattr(project.Project, "python", lambda _: (other, ""))
    assert servers(repository) is None


def test_this_repositorys_program_is_the_one_that_is_known() -> None:
    assert short_way._is_known(REPOSITORY / "Pulumi.yaml", "prod")


def test_what_is_left_over_in_the_environment_narrows_no_plan(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "model_specs" / "local.yaml").unlink()
    monkeypatch.setenv("SLIPFORM_SERVERS", "a")
    tops = [top.name for top in plan.run(repository, "dev").children(None) if top.kind == "ModelService"]
    assert tops == ["a", "b", "s"]


@pytest.mark.parametrize(("dry_run", "expected"), [(True, ["a", "b"]), (False, None)])
def test_an_apply_makes_all_servers_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, dry_run: bool, expected: list[str] | None
) -> None:
    """What narrows a plan must never narrow what `pulumi up` keeps."""
    asked: list[Any] = []

    def load(*_: object, **chosen: Any) -> Project:
        asked.append(chosen["servers"])
        return Project(
            REPOSITORY, "dev", StackConfig.model_validate({"cluster": {"context": "kind", "namespace": "models"}}), ()
        )

    monkeypatch.setenv("SLIPFORM_SERVERS", "a,b")
    monkeypatch.setattr("pulumi.runtime.is_dry_run", lambda: dry_run)
    monkeypatch.setattr("pulumi.get_stack", lambda: "dev")
    monkeypatch.setattr(program, "find_root", lambda _: REPOSITORY)
    monkeypatch.setattr(program, "_config", dict)
    monkeypatch.setattr(program, "load", load)
    program.load_project()
    assert asked == [expected]


def test_what_only_the_first_server_that_needs_it_brings_is_not_taken_for_new() -> None:
    """The AWS provider comes with the first role: a change that brings one where others had theirs brings none."""
    others = {name: spec(name, store="s3") for name in ("b", "c")}
    with a_repository({"a": spec("a"), **others}) as root:
        write(root, {"a": spec("a", store="s3"), **others})
        short, whole = (revisions.graphs(root, "HEAD", None, "dev", whole=way) for way in (False, True))
    assert plan.diff_to_json(plan.diff(*short)) == plan.diff_to_json(plan.diff(*whole))
    assert not any(each.resource.is_provider for each in plan.diff(*short).changes)


def test_only_the_changed_servers_are_made(repository: Path) -> None:
    (repository / "model_specs" / "local.yaml").unlink()
    git(repository, "commit", "-qam", "no files")
    edited("model_specs/a.yaml", "max_replicas: 2", "max_replicas: 3")(repository)
    short = revisions.graphs(repository, "HEAD", None, "dev")
    whole = revisions.graphs(repository, "HEAD", None, "dev", whole=True)
    assert [top.name for top in short[1].children(None) if top.kind == "ModelService"] == ["a"]
    assert len(short[1].resources) < len(whole[1].resources)
    assert plan.diff_to_json(plan.diff(*short)) == plan.diff_to_json(plan.diff(*whole))


def test_looking_for_what_differs_leaves_the_index_as_it_is(repository: Path) -> None:
    index = (repository / ".git" / "index").read_bytes()
    for file in repository.rglob("*.yaml"):
        os.utime(file, (0, 0))  # git would note that they are the same all the same
    assert servers(repository) == {"local"}
    assert (repository / ".git" / "index").read_bytes() == index


# -- the property: whatever the specs and the edits, both ways say the same -----------------------------------

FILES = ("a", "b", "c", "d", "e")
MISCHIEF = {
    "none": lambda name: spec(name),
    "another's name": lambda name: spec("a"),
    "an address that another may have": lambda name: spec(name, host="h"),
    "a name that b's objects have": lambda name: spec("b-build"),
    "no YAML": lambda name: spec(name, more="slo: {\n"),
    "no such stack": lambda name: spec(name, more="stacks: {nowhere: {team: risk}}\n"),
    "a server that others share": lambda name: spec(name, server="s", replicas=5),
}


@st.composite
def specs(draw: st.DrawFn) -> dict[str, str]:
    """Spec texts by their files' names: mostly right, some that share a server, and rarely a wrong one."""
    made = {}
    for name in draw(st.sets(st.sampled_from(FILES), min_size=1, max_size=4)):
        engine = draw(st.sampled_from(["fastapi", "triton"]))
        server = draw(st.sampled_from(["", "", "s"])) if engine == "fastapi" else ""
        store = draw(st.sampled_from(["https", "s3"]))  # with S3 comes a role, and with that the AWS provider
        replicas = 2 if server else draw(st.integers(1, 3))
        more = draw(
            st.sampled_from(["", "# remark\n", "stacks: {dev: {team: vision}}\n", "slo: {availability: 99.9}\n"])
        )
        made[name] = spec(name, engine=engine, server=server, replicas=replicas, more=more, store=store)
    if draw(st.integers(0, 9)) == 0:
        made["c"] = MISCHIEF[draw(st.sampled_from(sorted(MISCHIEF)))]("c")
    return made


class Warm:
    """Runs programs in processes that have imported Pulumi already: a fresh one for each, as in a real plan."""

    def __init__(self) -> None:
        context = get_context("forkserver")
        context.set_forkserver_preload(["slipform.infra.components", "slipform.plan.recorder.program"])
        self.pool = ProcessPoolExecutor(2, context, max_tasks_per_child=1)

    def start(self, found: project.Project, stack: str, **chosen: Any) -> Run:
        config = stack_config.read(found, stack)
        job = record._job(found, stack, config, chosen["fingerprint_key"], chosen["moved"])
        return Run(self.pool.submit(run_job, dict(job), record._environment(None, chosen["servers"])), dict(job))


class Run(record.Running):
    def __init__(self, answer: Future[dict[str, Any]], job: dict[str, Any]) -> None:
        self.answer, self.job = answer, job

    def __exit__(self, *_: object) -> None:
        self.answer.cancel()

    def finish(self) -> plan.Graph:
        answer = self.answer.result(timeout=120)
        if failure := answer.get("failure"):
            raise plan.ProgramError(failure["message"])
        return make(self.job["project"], self.job["stack"], answer["resources"], answer["outputs"], answer["messages"])


def run_job(job: dict[str, Any], environment: dict[str, str]) -> dict[str, Any]:
    from slipform.plan.recorder import program

    os.environ.clear()
    os.environ.update(environment)
    return dict(program.run(job))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    made = Warm()
    yield made
    made.pool.shutdown(cancel_futures=True)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=specs(), after=specs(), kept=st.sets(st.sampled_from(FILES)))
def test_the_short_way_and_the_whole_say_the_same(
    before: dict[str, str], after: dict[str, str], kept: set[str], warm: Warm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revisions, "start", warm.start)
    after = {**after, **{name: text for name, text in before.items() if name in kept}}
    with a_repository(before) as root:
        write(root, after)
        short, whole = (said(root, whole=way) for way in (False, True))
        event("a change" if short.startswith("{") else short[:20])
        event(f"short way: {servers(root) is not None}")
        assert short == whole


def said(root: Path, *, whole: bool) -> str:
    try:
        return plan.diff_to_json(plan.diff(*revisions.graphs(root, "HEAD", None, "dev", whole=whole)))
    except SlipformError as error:
        return str(error)
