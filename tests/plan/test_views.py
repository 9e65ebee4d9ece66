"""The tree, markdown and HTML: what a reader finds in them, and that nothing in a name can break them."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from rich.console import Console

from slipform import plan
from slipform.plan.views.drawing import draw
from slipform.plan.views.facts import facts, title

from .conftest import Plan


def screen(graph: plan.Graph, width: int = 80, **console: Any) -> str:
    out = io.StringIO()
    plan.tree(graph, Console(file=out, width=width, **console))
    return out.getvalue()


def test_the_tree_shows_each_models_parts_with_their_facts(models_dev: plan.Graph) -> None:
    shown = screen(models_dev, width=120)
    assert "├── Model fraud" in shown
    assert "Deployment fraud  2 replicas · triton:26.01 · GPU 1, CPU 3, memory 8Gi" in shown
    assert "ConfigMap fraud-config  config.pbtxt (2 lines)" in shown
    assert "VirtualService fraud  for fraud · all to fraud" in shown
    assert "Service fraud-service-…  80→8000 http" in shown
    assert "Namespace serving  protected" in shown
    assert "kubernetes provider cluster  context dev · namespace serving" in shown
    assert "warning: 20 replicas of one GPU on 10 one-GPU nodes" in shown
    assert "output token  [secret]" in shown
    assert shown.rstrip().endswith("18 resources: 11 Kubernetes objects, 6 components, 1 provider")


def test_a_component_that_repeats_its_parents_name_shows_its_kind_alone(models_dev: plan.Graph) -> None:
    lines = [line.rstrip() for line in screen(models_dev).splitlines()]
    assert "│   └── Serving" in lines


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_tree_fits_its_width(models_dev: plan.Graph, width: int) -> None:
    assert max(len(line) for line in screen(models_dev, width).splitlines()) <= width


def test_colour_is_there_on_a_terminal_and_not_with_no_color(
    models_dev: plan.Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[36m" in screen(models_dev, force_terminal=True).replace("\x1b[1;36m", "\x1b[36m")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[36m" not in screen(models_dev, force_terminal=True).replace("\x1b[1;36m", "\x1b[36m")


def test_markup_in_a_name_is_shown_as_it_is(planned: Plan) -> None:
    graph = planned("import pulumi\npulumi.log.warn('[bold]not bold[/bold] [/]')\n")
    assert "warning: [bold]not bold[/bold] [/]" in screen(graph)


def test_an_empty_program_has_an_empty_plan(planned: Plan) -> None:
    graph = planned("")
    assert screen(graph).rstrip().endswith("0 resources")
    assert "### Plan of `shop`, stack `dev`" in plan.to_markdown(graph)
    assert "<svg" not in plan.to_html(graph)


HOSTILE = """
import pulumi, pulumi_kubernetes as k8s
name = "<script>alert(1)</script> | `x` @everyone ![i](http://e) \\n# h"
k8s.core.v1.ConfigMap("map", metadata={"name": name}, data={"a": "b"})
pulumi.export(name, name)
pulumi.log.warn(name)
"""


def test_nothing_in_a_name_becomes_markup_in_markdown(planned: Plan) -> None:
    text = plan.to_markdown(planned(HOSTILE))
    assert "<script>" not in text
    assert "@everyone" not in text
    assert "![i](" not in text
    assert "\n# h" not in text
    rows = [line for line in text.splitlines() if line.startswith("| ConfigMap")]
    assert [row.replace("\\|", "").count("|") for row in rows] == [4]


def test_nothing_in_a_name_becomes_markup_in_the_page(planned: Plan) -> None:
    assert "<script>" not in plan.to_html(planned(HOSTILE))


def test_markdown_stays_below_the_limit_of_a_comment_and_says_what_it_left_out(models_dev: plan.Graph) -> None:
    whole = plan.to_markdown(models_dev)
    short = plan.to_markdown(models_dev, limit=len(whole) - 200)
    assert len(short) <= len(whole) - 200
    assert re.search(r"… and \d more, which do not fit here: `slipform plan -s dev`", short)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.references += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta",):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None: ...

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_asks_nobody_for_anything(models_dev: plan.Graph) -> None:
    text = plan.to_html(models_dev)
    page = _Page()
    page.feed(text)
    assert page.open == []
    assert page.references == []
    assert "http" not in text.replace("80→8000 http", "")
    assert "prefers-color-scheme: dark" in text


def test_the_drawing_puts_what_is_needed_to_the_left(models_dev: plan.Graph) -> None:
    fraud = models_dev.children(None)[0]
    drawing = draw([resource for resource in models_dev.descendants(fraud) if resource.custom])
    x = {box.kind: box.x for box in drawing.boxes}
    assert x["ConfigMap"] == x["Secret"] == x["Service"] < x["Deployment"] < x["VirtualService"]
    assert all(line.x1 < line.x2 for line in drawing.lines)
    corners = [(box.x, box.y) for box in drawing.boxes]
    assert len(set(corners)) == len(corners)
    # The route needs the config map only by way of the deployment, so no line says so.
    assert len(drawing.lines) == 4


def resource(type_: str, **inputs: Any) -> plan.Resource:
    return plan.Resource(urn="u", type=type_, name="name", custom=True, inputs=inputs)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (
            resource(
                "kubernetes:autoscaling/v2:HorizontalPodAutoscaler",
                spec={
                    "minReplicas": 2,
                    "maxReplicas": 20,
                    "metrics": [
                        {
                            "type": "Resource",
                            "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
                        },
                        {
                            "type": "Pods",
                            "pods": {
                                "metric": {"name": "queue_length"},
                                "target": {"type": "AverageValue", "averageValue": "10"},
                            },
                        },
                    ],
                },
            ),
            ["replicas 2–20", "cpu 70 %, queue_length 10"],
        ),
        (
            resource(
                "kubernetes:networking.istio.io/v1:VirtualService",
                spec={
                    "hosts": ["m"],
                    "http": [
                        {
                            "route": [
                                {"destination": {"host": "m", "subset": "v3"}, "weight": 90},
                                {"destination": {"host": "m", "subset": "v4"}, "weight": 10},
                            ],
                            "mirror": {"host": "m", "subset": "v5"},
                            "mirrorPercentage": {"value": 5},
                        }
                    ],
                },
            ),
            ["for m", "90 % to v3, 10 % to v4", "mirrored to v5 5 %"],
        ),
        (
            resource(
                "kubernetes:monitoring.coreos.com/v1:PrometheusRule",
                spec={"groups": [{"rules": [{"record": "a"}, {"alert": "B"}, {"alert": "A"}]}]},
            ),
            ["2 alerts (A, B)", "1 recording rule"],
        ),
        (
            resource(
                "aws:eks/nodeGroup:NodeGroup",
                instanceTypes=["g6.xlarge"],
                capacityType="SPOT",
                scalingConfig={"minSize": 0, "maxSize": 20, "desiredSize": 0},
                amiType="AL2023_x86_64_NVIDIA",
            ),
            ["g6.xlarge", "spot", "nodes 0–20", "AL2023_x86_64_NVIDIA"],
        ),
        (
            resource(
                "kubernetes:karpenter.sh/v1:NodePool",
                spec={
                    "limits": {"nvidia.com/gpu": "20"},
                    "template": {
                        "spec": {
                            "requirements": [
                                {"key": "node.kubernetes.io/instance-type", "values": ["g6.xlarge", "g6.2xlarge"]},
                                {"key": "karpenter.sh/capacity-type", "values": ["spot"]},
                            ]
                        }
                    },
                },
            ),
            ["g6.xlarge, g6.2xlarge", "spot", "at most GPU 20"],
        ),
        (
            resource(
                "kubernetes:batch/v1:Job",
                spec={
                    "template": {
                        "spec": {"containers": [{"image": "registry.example:5000/a/build@sha256:" + 64 * "a"}]}
                    }
                },
            ),
            ["build@aaaaaaaaaaaa"],
        ),
        (resource("kubernetes:core/v1:Secret", data={"b": plan.Secret(), "a": plan.Secret()}), ["a, b"]),
        (resource("kubernetes:core/v1:Secret", stringData=plan.Secret()), ["[secret]"]),
        (resource("kubernetes:policy/v1:PodDisruptionBudget", spec={"maxUnavailable": 1}), ["at most 1 unavailable"]),
        (resource("cloud:unheard:Of", size=1), []),
    ],
    ids=lambda value: value.kind if isinstance(value, plan.Resource) else "",
)
def test_the_essential_facts(given: plan.Resource, wanted: list[str]) -> None:
    assert facts(given) == wanted


NONSENSE: list[Any] = [None, "text", 3, [], {}, [None], plan.Secret(), plan.KNOWN_AFTER_APPLY]


@pytest.mark.parametrize("nonsense", NONSENSE, ids=repr)
def test_facts_never_fail_on_what_a_program_may_register(nonsense: Any) -> None:
    from slipform.plan.views.facts import _DESCRIBE

    for kind in _DESCRIBE:
        inner = ("template", "ports", "metrics", "http", "groups", "limits", "triggers", "subsets", "servers", "hosts")
        shapes: list[dict[str, Any]] = [
            {"spec": nonsense, "data": nonsense, "metadata": nonsense, "instanceTypes": nonsense},
            {"spec": dict.fromkeys(inner, nonsense)},
            {"spec": {key: [nonsense] for key in inner}},
            {"spec": {"http": [{"route": [nonsense]}], "metrics": [{"type": "x", "pods": nonsense}]}},
        ]
        for inputs in shapes:
            given = resource(f"kubernetes:any/v1:{kind}", apiVersion="v1", kind=kind, **inputs)
            assert all(isinstance(phrase, str) for phrase in facts(given))
            assert isinstance(title(given), str)
