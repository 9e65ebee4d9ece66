"""Prometheus' own judge of rule files and of what they do."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
import yaml

from ..cluster.tools import Unavailable, ensure


@cache
def located() -> str | None:
    """From PATH, or out of Debian's package; None where neither is to be had."""
    try:
        return str(ensure("promtool"))
    except Unavailable:
        return None


needs_promtool = pytest.mark.skipif(
    located() is None and os.environ.get("CI") != "true",
    reason="promtool is not here: it comes with Prometheus (Debian: apt-get install prometheus)",
)


def promtool(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([located() or "promtool", *arguments], cwd=cwd, capture_output=True, text=True, check=False)


def assert_passes(*arguments: str, cwd: Path) -> None:
    done = promtool(*arguments, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr


def assert_values(
    series: Mapping[str, str], values: Mapping[tuple[str, str], float | None], cwd: Path, *, rule_files: list[str]
) -> None:
    """From (expression, time) to its one value, None for no data; a series has a sample each half minute."""
    expected = [
        {
            "expr": expr,
            "eval_time": at,
            "exp_samples": [] if value is None else [{"labels": "{}", "value": value}],
        }
        for (expr, at), value in values.items()
    ]
    test = {
        "interval": "30s",
        "input_series": [{"series": name, "values": text} for name, text in series.items()],
        "promql_expr_test": expected,
    }
    content = {"rule_files": rule_files, "evaluation_interval": "30s", "tests": [test]}
    (cwd / "values.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    assert_passes("test", "rules", "values.yaml", cwd=cwd)
