"""What CI runs for users: the workflow of a new repository, the action, GitLab's template, pre-commit's hooks.

Their scripts are taken from the files and run by bash, as the runners do, with the environment that these set.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from slipform.spec.document import read

from .environment import ROOT, Environment, commit, succeed

WORKFLOW = ".github/workflows/slipform.yml"
GITLAB = ROOT / "templates" / "slipform.gitlab-ci.yml"
PINNED = re.compile(r"(?P<action>[\w-]+/[\w-]+)@[0-9a-f]{40}")


def steps(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """An action's, or those of a workflow's one job."""
    (part,) = [document["runs"]] if "runs" in document else document["jobs"].values()
    found: list[dict[str, Any]] = part["steps"]
    return found


@pytest.fixture
def workflow(written: Path) -> dict[str, Any]:
    found: dict[str, Any] = read(written / WORKFLOW).data
    return found


@pytest.fixture
def action() -> dict[str, Any]:
    found: dict[str, Any] = read(ROOT / "action.yml").data
    return found


# -- what they may ------------------------------------------------------------------------------


def test_the_workflow_runs_a_pull_request_without_secrets(workflow: dict[str, Any], written: Path) -> None:
    assert set(workflow["on"]) == {"pull_request"}
    assert workflow["permissions"] == {"contents": "read"}
    text = (written / WORKFLOW).read_text(encoding="utf-8")
    assert "secrets." not in text
    assert "never on pull_request_target" in text, "says why"


def test_the_workflow_has_the_whole_history_and_keeps_no_token(workflow: dict[str, Any]) -> None:
    (checkout,) = [step for step in steps(workflow) if step.get("uses", "").startswith("actions/checkout@")]
    assert checkout["with"] == {"fetch-depth": 0, "persist-credentials": False}


@pytest.mark.parametrize("which", ["workflow", "action"])
def test_actions_of_others_are_pinned_and_no_text_is_put_into_a_script(
    which: str, request: pytest.FixtureRequest
) -> None:
    for step in steps(request.getfixturevalue(which)):
        assert ("uses" in step) != ("run" in step)
        if "uses" in step:
            assert PINNED.fullmatch(step["uses"]), step
        else:
            assert "${{" not in step["run"], step
            assert step.get("shell") == "bash" or which == "workflow"


def test_the_action_is_whole(action: dict[str, Any]) -> None:
    assert set(action) == {"name", "description", "branding", "inputs", "outputs", "runs"}
    assert len(action["description"]) <= 125, "the marketplace's limit"
    assert action["runs"]["using"] == "composite"
    for given in action["inputs"].values():
        assert given["description"]
        assert given.get("required") or "default" in given
    ids = {step["id"] for step in steps(action) if "id" in step}
    assert {
        value for each in action["outputs"].values() for value in re.findall(r"steps\.(\w+)\.", each["value"])
    } <= ids
    used = set(re.findall(r"inputs\.([\w-]+)", (ROOT / "action.yml").read_text(encoding="utf-8")))
    assert used == set(action["inputs"])


def test_scripts_are_bash(workflow: dict[str, Any], action: dict[str, Any]) -> None:
    for script in (*scripts(workflow), *scripts(action), gitlab_script()):
        done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True)
        assert done.returncode == 0, done.stderr


def scripts(document: Mapping[str, Any]) -> Iterator[str]:
    return (step["run"] for step in steps(document) if "run" in step)


# -- what they do -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ran:
    code: int
    log: str
    summary: str
    outputs: dict[str, str]


class Runner:
    """Runs steps one after the other, as GitHub's runner does, in a clone whose branch is to go into main."""

    def __init__(self, environment: Environment, checkout: Path, scratch: Path) -> None:
        self.checkout, self._scratch = checkout, scratch
        self.installs = False  # what a step would install is in the environment already
        offline = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0"}
        self.variables = environment.variables(
            GITHUB_WORKSPACE=str(checkout), GITHUB_STEP_SUMMARY=str(scratch / "summary"), TMPDIR=str(scratch),
            GITHUB_OUTPUT=str(scratch / "outputs"), GITHUB_BASE_REF="main", GITHUB_ACTION_PATH=str(ROOT), **offline,
        )  # fmt: skip

    def run(self, document: Mapping[str, Any], **inputs: str) -> Ran:
        """Up to the first step that fails; ``inputs`` are an action's, with ``_`` for a dash."""
        for name in ("summary", "outputs"):
            (self._scratch / name).write_text("", encoding="utf-8")
        given = {name: each.get("default", "") for name, each in document.get("inputs", {}).items()}
        given |= {name.replace("_", "-"): value for name, value in inputs.items()}
        (job,) = document.get("jobs", {"": {}}).values()
        log, code = "", 0
        for step in steps(document):
            if "run" not in step or (step["name"].startswith("Install") and not self.installs):
                continue
            variables = {
                name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: given[found[1]], text)
                for name, text in (job.get("env", {}) | step.get("env", {})).items()
            }
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
                cwd=self.checkout, env=self.variables | variables, capture_output=True, text=True, timeout=300,
            )  # fmt: skip
            log, code = f"{log}{done.stdout}{done.stderr}", done.returncode
            if code:
                break
        outputs = dict(line.split("=", 1) for line in (self._scratch / "outputs").read_text().splitlines())
        return Ran(code, log, (self._scratch / "summary").read_text(encoding="utf-8"), outputs)


@pytest.fixture
def runner(environment: Environment, written: Path, tmp_path: Path) -> Runner:
    (tmp_path / "scratch").mkdir()
    succeed("git", "clone", "--quiet", written, tmp_path / "checkout")
    return Runner(environment, tmp_path / "checkout", tmp_path / "scratch")


def changed(folder: Path, before: str, after: str, message: str = "a change") -> None:
    """The iris spec, committed."""
    spec = folder / "model_specs" / "iris.yaml"
    text = spec.read_text(encoding="utf-8")
    assert before in text
    spec.write_text(text.replace(before, after), encoding="utf-8")
    commit(folder, message)


def test_the_workflow_shows_what_a_pull_request_changes_in_each_stack(runner: Runner, workflow: dict[str, Any]) -> None:
    changed(runner.checkout, "max_replicas: 8", "max_replicas: 12")
    runner.installs = True
    ran = runner.run(workflow)
    assert ran.code == 0, ran.log
    assert "stack `prod`" in ran.summary
    assert "stack `dev`" in ran.summary
    assert re.search(r"^\+.*maxReplicas: 12", ran.summary, re.MULTILINE)


def test_the_workflow_stops_at_a_mistake_and_shows_it_beside_its_line(runner: Runner, workflow: dict[str, Any]) -> None:
    changed(runner.checkout, "memory: 512Mi", "memory: 512MB")
    ran = runner.run(workflow)
    assert ran.code == 2
    assert re.search(r"^::error file=model_specs/iris\.yaml,line=\d+,col=\d+,title=", ran.log, re.MULTILINE), ran.log
    assert ran.summary == ""


def test_the_action_installs_itself_and_says_whether_something_changes(runner: Runner, action: dict[str, Any]) -> None:
    runner.installs = True
    ran = runner.run(action, stacks="prod")
    assert (ran.code, ran.outputs) == (0, {"changed": "false"}), ran.log
    changed(runner.checkout, "max_replicas: 8", "max_replicas: 12")
    ran = runner.run(action, stacks="dev prod", requirements="requirements.txt")
    assert (ran.code, ran.outputs) == (0, {"changed": "true"}), ran.log
    assert ran.summary.count("stack `") == 2


def over_budget(folder: Path) -> None:
    """Nodes that cost a dollar an hour, and a budget that eight halves of one are over."""
    stack = folder / "stacks" / "Pulumi.prod.yaml"
    cost = "  slipform:cost: {default_node: {price: 1, cpu: 1, memory: 4Gi}, max_monthly: 2900}\n"
    stack.write_text(stack.read_text(encoding="utf-8") + cost, encoding="utf-8")
    commit(folder, "a budget")


@pytest.mark.parametrize("which", ["workflow", "action"])
def test_what_is_over_budget_is_shown_and_fails(which: str, runner: Runner, request: pytest.FixtureRequest) -> None:
    over_budget(runner.checkout)
    inputs = {"stacks": "prod dev"} if which == "action" else {}
    ran = runner.run(request.getfixturevalue(which), **inputs)
    assert ran.code == 3, ran.log
    assert "over budget: all models together may cost 2,920.00 USD a month" in ran.summary
    assert "stack `dev`" in ran.summary, "the stacks after it are shown as well"


def test_the_action_works_in_a_subfolder(runner: Runner, action: dict[str, Any]) -> None:
    project = runner.checkout / "ml"
    project.mkdir()
    for name in ("Pulumi.yaml", "stacks", "model_specs"):
        succeed("git", "mv", name, "ml", cwd=runner.checkout)
    commit(runner.checkout, "into a folder")
    changed(project, "max_replicas: 8", "max_replicas: eight")
    ran = runner.run(action, stacks="prod", directory="ml", base="HEAD~1")
    assert ran.code == 2
    assert "::error file=ml/model_specs/iris.yaml,line=" in ran.log


def test_what_is_given_to_the_action_is_never_executed(runner: Runner, action: dict[str, Any]) -> None:
    for inputs in (
        {"stacks": "prod; touch pwned"},
        {"stacks": "$(touch pwned)"},
        {"stacks": "prod", "base": "$(touch pwned)"},
        {"stacks": "prod", "base": "--help"},
        {"stacks": "prod", "directory": "; touch pwned"},
    ):
        assert runner.run(action, **inputs).code != 0, inputs
    assert not list(runner.checkout.rglob("pwned"))


def test_a_push_has_nothing_to_compare_with(runner: Runner, action: dict[str, Any]) -> None:
    del runner.variables["GITHUB_BASE_REF"]
    ran = runner.run(action, stacks="prod")
    assert (ran.code, ran.outputs, ran.summary) == (0, {}, "")
    assert "::notice::No pull request" in ran.log


def test_a_shallow_clone_is_told_what_it_lacks(runner: Runner, action: dict[str, Any], tmp_path: Path) -> None:
    succeed("git", "clone", "--quiet", "--depth=1", f"file://{runner.checkout}", tmp_path / "shallow")
    runner.checkout = tmp_path / "shallow"
    ran = runner.run(action, stacks="prod", base="HEAD~3")
    assert ran.code == 2
    assert "`fetch-depth: 0` for actions/checkout" in ran.log


def gitlab_script() -> str:
    _, job = yaml.safe_load_all(GITLAB.read_text(encoding="utf-8"))
    return "\n".join(job["slipform"]["script"])


def test_gitlabs_template_takes_its_inputs_as_variables_and_has_the_whole_history() -> None:
    head, jobs = yaml.safe_load_all(GITLAB.read_text(encoding="utf-8"))
    job = jobs["slipform"]
    assert job["variables"]["GIT_DEPTH"] == "0"
    assert "$[[" not in gitlab_script()
    used = set(re.findall(r"\$\[\[ inputs\.(\w+) \]\]", GITLAB.read_text(encoding="utf-8")))
    assert used == set(head["spec"]["inputs"])


@pytest.mark.parametrize("code", [0, 3], ids=["within", "over budget"])
def test_gitlabs_script_keeps_the_change_as_an_artifact(runner: Runner, code: int) -> None:
    base = succeed("git", "rev-parse", "HEAD", cwd=runner.checkout).strip()
    changed(runner.checkout, "max_replicas: 8", "max_replicas: 12")
    if code:
        over_budget(runner.checkout)
    variables = {
        "STACKS": "prod", "DIRECTORY": ".", "REQUIREMENTS": "requirements.txt",
        "CI_PROJECT_DIR": str(runner.checkout), "CI_MERGE_REQUEST_DIFF_BASE_SHA": base,
    }  # fmt: skip
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", gitlab_script()],
        cwd=runner.checkout, env=runner.variables | variables, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert "maxReplicas: 12" in (runner.checkout / "slipform-change.md").read_text(encoding="utf-8")


def test_hooks_find_a_mistake_and_a_stale_schema(environment: Environment, models: Path, tmp_path: Path) -> None:
    """By pre-commit itself; only the environment that it would build for `language: python` is the one that is here."""
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert {hook["language"] for hook in hooks} == {"python"}
    local = {"repo": "local", "hooks": [{**hook, "language": "system"} for hook in hooks]}
    (models / ".pre-commit-config.yaml").write_text(yaml.safe_dump({"repos": [local]}), encoding="utf-8")
    commit(models, "hooks")
    variables = environment.variables(PRE_COMMIT_HOME=str(tmp_path / "pre-commit"))

    def hooked(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pre_commit", "run", *arguments]
        return subprocess.run(command, cwd=models, env=variables, capture_output=True, text=True, timeout=120)

    clean = hooked("--all-files")
    assert clean.returncode == 0, clean.stdout + clean.stderr
    assert "Skipped" not in clean.stdout
    spec = models / "model_specs" / "iris.yaml"
    spec.write_text(spec.read_text(encoding="utf-8").replace("memory: 512Mi", "memory: 512MB"), encoding="utf-8")
    (models / "model_specs" / ".schema.json").write_text("{}", encoding="utf-8")
    succeed("git", "add", "--all", cwd=models)
    wrong = hooked()
    assert wrong.returncode == 1
    assert "not an amount of memory" in wrong.stdout
    assert ".schema.json is stale" in wrong.stdout


def test_the_template_and_the_hooks_name_commands_that_there_are(environment: Environment, tmp_path: Path) -> None:
    text = "\n".join(
        file.read_text(encoding="utf-8") for file in (GITLAB, ROOT / "action.yml", ROOT / ".pre-commit-hooks.yaml")
    )
    for command in sorted(set(re.findall(r"^\s*(?:- |entry: )?slipform ([a-z]+)", text, re.MULTILINE))):
        assert environment.slipform(command, "--help", cwd=tmp_path).returncode == 0, command
