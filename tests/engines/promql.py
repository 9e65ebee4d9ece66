"""Queries as Prometheus itself judges them: are they valid, and what is their value under a made-up load?"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from slipform.engines.metrics import Measure

MATCHERS = 'namespace="models",model="resnet50"'
Load = dict[str, str]


def uses(measure: Measure) -> Iterator[str]:
    """A rule's, an alert's by pod, and prometheus-adapter's once it has filled its own holes."""
    yield measure.promql(MATCHERS, instances=4)
    yield measure.promql("", window="30s", by="pod")
    adapter = measure.promql("<<.LabelMatchers>>", window="2m", by="<<.GroupBy>>")
    yield adapter.replace("<<.LabelMatchers>>", 'namespace="models",pod=~"a|b"').replace("<<.GroupBy>>", "pod")


def assert_valid(promtool: Path, folder: Path, queries: Sequence[str]) -> None:
    rules = [{"record": f"slipform:test_{index}", "expr": query} for index, query in enumerate(queries)]
    judged = _judge(promtool, "check", folder, {"groups": [{"name": "queries", "rules": rules}]})

    assert judged.returncode == 0, judged.stdout + judged.stderr
    assert f"{len(queries)} rules found" in judged.stdout


def series(metric: str, values: str, pod: str = "a", **labels: str) -> Load:
    """One series of the model, in promtool's notation: a value every 15 seconds."""
    every = {"namespace": "models", "pod": pod, "model": "resnet50", "version": "3", **labels}
    text = ",".join(f'{name}="{given}"' for name, given in every.items())
    return {"series": f"{metric}{{{text}}}", "values": values}


def assert_value(promtool: Path, folder: Path, query: str, loads: Sequence[Load], expected: float) -> None:
    """The query's one value after ten minutes of the load."""
    sample = {"expr": f"round({query}, 0.001)", "eval_time": "10m", "exp_samples": [{"value": expected}]}
    test = {"interval": "15s", "input_series": list(loads), "promql_expr_test": [sample]}
    judged = _judge(promtool, "test", folder, {"tests": [test]})

    assert judged.returncode == 0, judged.stdout + judged.stderr


def _judge(promtool: Path, verb: str, folder: Path, content: object) -> subprocess.CompletedProcess[str]:
    file = folder / f"{verb}.yaml"
    file.write_text(json.dumps(content))
    return subprocess.run([promtool, verb, "rules", file], capture_output=True, text=True, check=False)
