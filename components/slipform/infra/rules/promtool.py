"""Rule files and their tests as Prometheus' own files: ``promtool check rules``, ``promtool test rules``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from ...spec.units import Duration
from .kinds import PERIOD, Case, Group

EVALUATION = Duration.parse("1m")
"""Between evaluations in the tests: no alert needs more of them, and each takes its time."""


def rule_file(groups: Sequence[Group]) -> str:
    """The groups as a rule file, which is also the spec of a PrometheusRule."""
    return _yaml({"groups": [group.rules for group in groups]})


def promtool_tests(groups: Sequence[Group], rule_file_name: str) -> str:
    """A file for ``promtool test rules`` with every case of every alert; it lies beside the rule file."""
    cases = [case for group in groups for case in group.cases]
    return _yaml(
        {
            "rule_files": [rule_file_name],
            "evaluation_interval": str(EVALUATION),
            "tests": [_test(case) for case in cases],
        }
    )


def _test(case: Case) -> dict[str, Any]:
    return {
        "name": case.title,
        "interval": str(PERIOD),
        "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
        "alert_rule_test": [
            {
                "eval_time": str(case.at),
                "alertname": case.alert_name,
                "exp_alerts": [
                    {
                        "exp_labels": {**fired.alert.all_labels, **fired.labels},
                        "exp_annotations": fired.alert.said(fired.value),
                    }
                    for fired in case.fires
                ],
            }
        ],
    }


def _yaml(value: dict[str, Any]) -> str:
    return yaml.safe_dump(value, sort_keys=False, width=1000, allow_unicode=True)
