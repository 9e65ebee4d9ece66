"""What models cost, as a user sees it in plan and diff, by AWS' public prices of eu-central-1."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from .conftest import ROOT, Run

PAGE = (ROOT / "docs" / "cost.md").read_text(encoding="utf-8")
FIGURES = {
    # c7i.2xlarge 0.4074; three replicas of 2 processors on each: 3 + 3 need 2 nodes, 16 + 16 need 11.
    "fraud": (594.80, 3271.42),
    # m7i.xlarge 0.2415, of which 500m of 3,920m are for each of 2 to 8 replicas.
    "iris": (44.97, 179.89),
    # g6.xlarge 1.0064, spot at 40 % of it: 0.40256, one for each of 2 to 10 replicas.
    "text-direction": (587.74, 2938.69),
    # g6.xlarge, one for each of 2 + 2 to 6 + 6 replicas.
    "ticket-router": (2938.69, 8816.06),
}


@pytest.fixture
def stack(project: Path) -> Path:
    return project / "stacks" / "Pulumi.prod.yaml"


def change(file: Path, before: str, after: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after), encoding="utf-8")


def is_on_the_page(command: str, printed: str) -> bool:
    """Whether the page's block of the command has, from its costs on, what was printed; but for the last line of a
    change, which counts what else there is.
    """
    block = PAGE.partition(f"```\n$ {command}\n")[2].partition("```")[0].splitlines()
    start = next(index for index, line in enumerate(block) if line.startswith("cost a month"))
    lines = block[start:-1] if "diff" in command else block[start:]
    return "\n".join(lines) in "\n".join(line.rstrip() for line in printed.splitlines())


def test_the_json_of_a_plan_has_what_every_model_costs(slipform: Run, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    done = slipform("plan", "-s", "prod", "--format", "json", TMPDIR=str(tmp_path / "tmp"))
    assert done.returncode == 0, done.stderr
    cost = json.loads(done.stdout)["cost"]
    found = {each["name"]: (each["monthly"]["least"], each["monthly"]["most"]) for each in cost["servers"]}
    assert found == FIGURES
    least, most = (round(sum(pair[side] for pair in FIGURES.values()), 2) for side in (0, 1))
    assert cost["monthly"] == {"least": least, "expected": None, "most": most}
    assert (cost["currency"], cost["region"], cost["hours"]) == ("USD", "eu-central-1", 730)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_plan_over_budget_says_so_and_ends_with_3(slipform: Run, stack: Path) -> None:
    change(stack, "max_monthly: 16000", "max_monthly: 15000")
    said = "over budget: all models together may cost 15,206.06 USD a month, 206.06 more than"
    done = slipform("plan", "-s", "prod")
    assert done.returncode == 3
    assert is_on_the_page("slipform plan -s prod", done.stdout)
    assert said in done.stdout
    done = slipform("plan", "-s", "prod", "--format", "markdown")
    assert (done.returncode, "🛑 **over budget" in done.stdout) == (3, True)
    assert said in done.stderr


def test_a_model_whose_nodes_are_not_known_takes_one_line(slipform: Run) -> None:
    done = slipform("plan", "-s", "dev", COLUMNS="200")
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if "cost" in line]
    assert line.startswith("cost of iris: not known: it names no nodes: write slipform:cost.default_node")


@pytest.fixture
def repository(project: Path) -> Path:
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "first"]):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        subprocess.run(["git", *identity, *command], cwd=project, check=True)
    return project


def test_a_change_that_adds_too_much_is_shown_and_ends_with_3(slipform: Run, repository: Path) -> None:
    # Ten more nodes at most: 10 × 0.40256 × 730 are 2,938.69, and the stack lets one change add 2,000.
    change(repository / "model_specs" / "text-direction.yaml", "max_replicas: 10", "max_replicas: 20")
    done = slipform("diff", "main", "-s", "prod", "--format", "markdown", "--exit-code")
    assert done.returncode == 3, done.stderr
    assert "at most" in done.stdout
    assert "2,938.69 → 5,877.38 (+2,938.69)" in done.stdout
    over = (
        "over budget: the change adds up to 2,938.69 USD a month, 938.69 more than slipform:cost.max_increase, 2,000.00"
    )
    assert over in done.stderr
    assert "🛑 **over budget: the change adds up to 2,938.69 USD" in done.stdout
    cost = json.loads(slipform("diff", "main", "-s", "prod", "--format", "json").stdout)["cost"]
    assert cost["increase"] == {"least": 0, "expected": None, "most": 2938.69}
    assert [each["name"] for each in cost["servers"]] == ["text-direction"]
    assert is_on_the_page("slipform diff main -s prod", slipform("diff", "main", "-s", "prod").stdout)
    # The whole stack's, though only that model was planned.
    assert cost["before"]["most"] == 15206.06
    assert len(cost["over_budget"]) == 2


def test_a_price_or_a_load_alone_is_no_change_of_the_cluster_and_is_shown(
    slipform: Run, repository: Path, stack: Path
) -> None:
    change(repository / "model_specs" / "iris.yaml", "expected_rps: 300", "expected_rps: 1700")
    done = slipform("diff", "main", "-s", "prod", "--exit-code", COLUMNS="200")
    # 5 replicas at 400 each: 5 × 500 ÷ 3,920 of a node.
    assert (
        "iris  0.26–1.02 × m7i.xlarge; at least 44.97; expected 44.97 → 112.43 (+67.46); at most 179.89" in done.stdout
    )
    assert done.returncode in (0, 1), done.stderr
    change(repository / "model_specs" / "iris.yaml", "expected_rps: 1700", "expected_rps: 300")
    change(stack, "max_monthly: 16000", "prices: {c7i.2xlarge: 0.3}, max_monthly: 16000")
    done = slipform("diff", "main", "-s", "prod", "--exit-code", COLUMNS="200")
    assert done.returncode == 0, done.stderr
    assert "fraud  2–11 × c7i.2xlarge; at least 594.80 → 438.00 (-156.80)" in done.stdout
    assert done.stdout.endswith("no changes\n")
