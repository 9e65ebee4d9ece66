"""House rules: each says what it misses, can be a warning, and lets a spec off that gives its reason."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from slipform.policy.judging import problems
from slipform.policy.rules import RULES
from slipform.spec.findings import Finding, SlipformError
from slipform.spec.policy import Policy

from ..builders import model_spec, stack_config

CANARY = {"strategy": "canary", "steps": [{"weight": 10, "hold": "5m"}], "analysis": {"max_error_rate": 0.01}}
DECLARED = {"strategy": "canary", "candidate": {"version": 4}, "weight": 10}
EXPOSED = {"host": "resnet50.models.example.com"}
BUILD = {"target": "tensorrt", "precision": "fp16"}
RIGHT: dict[str, Any] = {"slo": {"availability": 99.9}, "traffic": {"expected_rps": 200}, "rollout": CANARY}


def judged(policy: dict[str, Any], root: Path = Path(), **spec: Any) -> list[Finding]:
    return list(problems(model_spec(**spec), stack_config(policy=policy), root))


BREAKS = [
    ("owned", {"team": None}, "team"),
    ("pinned", {"model": {"sha256": None}}, "model.sha256"),
    ("pinned", {"rollout": DECLARED}, "rollout.candidate.sha256"),
    ("promised", {"slo": None}, "slo"),
    ("expected", {"traffic": {"expected_rps": None}}, "traffic.expected_rps"),
    ("redundant", {"scaling": {"min_replicas": 1}}, "scaling.min_replicas"),
    ("gradual", {"rollout": None}, "rollout"),
    ("gradual", {"rollout": DECLARED}, "rollout"),
    ("proven", {"build": BUILD}, "build.accept"),
    ("proven", {"build": {**BUILD, "accept": {"min_speedup": 1.2}}}, "build.accept"),
    ("guarded", {"expose": {**EXPOSED, "auth": "none"}}, "expose.auth"),
]


@pytest.mark.parametrize(("rule", "spec", "field"), BREAKS)
def test_a_spec_that_breaks_a_rule_is_told_which_and_where(rule: str, spec: dict[str, Any], field: str) -> None:
    (found,) = judged({rule: "error"}, **(RIGHT | spec))
    assert (found.field, found.severity) == (field, "error")
    assert found.message.startswith(f"policy {rule}: ")
    assert f"exempt: {{{rule}: WHY}}" in (found.remedy or "")


def test_every_rule_is_broken_by_one_of_these_and_kept_by_a_right_spec() -> None:
    assert {rule for rule, _, _ in BREAKS} == set(RULES)
    everything = dict.fromkeys(RULES, "error")
    kept = {"build": {**BUILD, "accept": {"max_abs_error": 0.02}}, "expose": {**EXPOSED, "auth": "jwt"}}
    assert judged(everything, **(RIGHT | kept)) == []


def test_every_rule_is_a_switch_and_off_by_default() -> None:
    assert set(RULES) <= set(Policy.model_fields)
    assert judged({}, team=None, slo=None, scaling={"min_replicas": 1}) == []


def test_a_model_in_the_project_is_pinned_by_its_commit() -> None:
    assert judged({"pinned": "error"}, model={"uri": "file:models/resnet50", "sha256": None}) == []


@pytest.mark.parametrize(
    ("policy", "spec", "field", "allowed"),
    [
        ({"engines": ["fastapi"]}, {}, "serving.engine", "fastapi"),
        ({"accelerators": ["nvidia-t4", "nvidia-a10g"]}, {}, "serving.resources.accelerator", "nvidia-t4, nvidia-a10g"),
        ({"max_replicas": 4}, {"scaling": {"max_replicas": 5}}, "scaling.max_replicas", "4 or fewer"),
    ],
)
def test_what_the_stack_bounds_is_bounded(
    policy: dict[str, Any], spec: dict[str, Any], field: str, allowed: str
) -> None:
    (found,) = judged(policy, **spec)
    assert (found.field, found.allowed, found.severity) == (field, allowed, "error")


def test_what_is_within_the_bounds_passes_and_no_accelerator_is_none_too_many() -> None:
    policy = {"engines": ["triton"], "accelerators": ["nvidia-l4"], "max_replicas": 5}
    assert judged(policy, scaling={"max_replicas": 5}) == []
    assert judged({"accelerators": ["nvidia-t4"]}, serving={"resources": {"accelerator": None}}) == []


def test_a_rule_may_only_warn() -> None:
    (found,) = judged({"promised": "warning"}, slo=None)
    assert found.severity == "warning"


def test_a_spec_with_a_reason_is_let_off_by_that_rule_alone() -> None:
    policy = {"redundant": "error", "promised": "error"}
    found = judged(policy, slo=None, scaling={"min_replicas": 1}, exempt={"redundant": "a nightly job"})
    assert [each.field for each in found] == ["slo"]


def test_a_rule_that_nobody_has_cannot_be_let_off() -> None:
    (found,) = judged({}, exempt={"redundent": "a nightly job"})
    assert (found.field, found.remedy) == ("exempt.redundent", "did you mean 'redundant'?")


# -- rules of one's own ----------------------------------------------------------------------------

NAMED = """
from slipform.policy import Finding, check

@check
def named_by_team(spec, stack):
    if not spec.name.startswith(spec.team):
        yield Finding("the name does not begin with the team's", path=("name",), given=spec.name, severity="warning")
"""


def own(root: Path, text: str, **spec: Any) -> list[Finding]:
    (root / "naming.py").write_text(text, encoding="utf-8")
    return judged({"checks": ["naming.py"]}, root, **spec)


def test_a_projects_own_check_is_judged_like_ours(tmp_path: Path) -> None:
    (found,) = own(tmp_path, NAMED)
    assert found.message == "policy named_by_team: the name does not begin with the team's"
    assert (found.field, found.severity) == ("name", "warning")
    assert own(tmp_path, NAMED, name="vision-resnet50") == []
    assert own(tmp_path, NAMED, exempt={"named_by_team": "it is older than the rule"}) == []


def test_a_check_that_changes_is_read_again(tmp_path: Path) -> None:
    assert own(tmp_path, NAMED)
    relaxed = NAMED.replace("not spec.name.startswith(spec.team)", "False")
    (tmp_path / "naming.py").write_text(relaxed, encoding="utf-8")
    os.utime(tmp_path / "naming.py", ns=(1, 1))
    assert judged({"checks": ["naming.py"]}, tmp_path) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def f(:\n", "naming.py:1: SyntaxError"),
        ("import no_such_module\n", "naming.py:1: ModuleNotFoundError: No module named 'no_such_module'"),
        ("x = 1\n", "no function is marked with @check"),
        (NAMED.replace("spec.team)", "spec.tame)"), "naming.py:6: AttributeError: 'ModelSpec' object has no attribute"),
        (NAMED.replace("yield Finding(", "yield str("), "naming.py:7: TypeError"),
        ("from slipform.policy import check\n@check\ndef wrong(spec, stack):\n    return ['no']\n",
         "the check wrong yielded 'no': yield slipform.policy.Finding"),
    ],
)  # fmt: skip
def test_a_check_that_fails_says_on_which_line(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(SlipformError) as raised:
        own(tmp_path, text)
    assert said in str(raised.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SlipformError, match=r"names policies/none\.py, which is not there"):
        judged({"checks": ["policies/none.py"]}, tmp_path)


def test_one_name_has_one_check(tmp_path: Path) -> None:
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text(NAMED, encoding="utf-8")
    with pytest.raises(SlipformError, match="named_by_team is in another file as well"):
        judged({"checks": ["one.py", "two.py"]}, tmp_path)
