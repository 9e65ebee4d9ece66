"""No view holds a secret: not what the program wraps, not what stack config encrypts, not what is made of either."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from slipform import plan

from .conftest import Plan

PROGRAM = """
import json
import pulumi
import pulumi_kubernetes as k8s

password = pulumi.Output.secret("hunter2-plain")
metadata = {"name": "credentials"}
k8s.core.v1.Secret("secret", metadata=metadata, string_data={"password": password})
dsn = pulumi.Output.concat("u:", password)
k8s.core.v1.ConfigMap("map", metadata={"name": "map"}, data={"open": "yes", "dsn": dsn})
k8s.core.v1.ServiceAccount("account", metadata={"name": "account", "annotations": {"note": password}})
pulumi.export("password", password)
pulumi.export("url", password.apply(lambda p: f"https://u:{p}@host"))
pulumi.export("nested", {"list": [password, "open"]})
"""


def everything_that_is_shown(graph: plan.Graph, folder: Path) -> str:
    screen = io.StringIO()
    plan.tree(graph, Console(file=screen, width=200))
    plan.render(graph, folder)
    files = [file.read_text() for file in folder.iterdir()]
    return "\n".join(
        (screen.getvalue(), plan.to_json(graph), plan.to_markdown(graph), plan.to_html(graph), repr(graph), *files)
    )


def test_a_secret_is_in_no_view(planned: Plan, tmp_path: Path) -> None:
    graph = planned(PROGRAM)
    shown = everything_that_is_shown(graph, tmp_path / "out")
    assert "hunter2" not in shown
    assert "aHVudGVyMi1wbGFpbg" not in shown  # base64 of it
    shown_outputs = json.loads(plan.to_json(graph))["outputs"]
    assert shown_outputs == {"nested": {"list": ["[secret]", "open"]}, "password": "[secret]", "url": "[secret]"}


def test_the_open_neighbour_of_a_secret_is_still_shown(planned: Plan) -> None:
    graph = planned(PROGRAM)
    (config_map,) = (resource for resource in graph.resources if resource.name == "map")
    assert config_map.inputs["data"]["open"] == "yes"
    assert config_map.inputs["data"]["dsn"] == plan.Secret(config_map.inputs["data"]["dsn"].fingerprint)


CONFIG = """
encryptionsalt: v1:AAAAAAAAAAA=:v1:AAAAAAAAAAAAAAAA:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==
config:
  shop:token:
    secure: v1:abcdefgh:Y2lwaGVydGV4dA==
  shop:registry:
    user: ci
    password: {secure: "v1:ijklmnop:b3RoZXI="}
"""


def test_an_encrypted_value_is_a_placeholder_and_asks_for_no_passphrase(
    planned: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE", raising=False)
    graph = planned(
        """
import pulumi
config = pulumi.Config()
registry = config.require_secret_object("registry")
pulumi.export("token", config.require_secret("token"))
pulumi.export("user", registry["user"])
pulumi.export("open-by-mistake", config.require("token"))
""",
        config=CONFIG,
    )
    assert set(graph.outputs) == {"open-by-mistake", "token", "user"}
    assert all(isinstance(value, plan.Secret) for value in graph.outputs.values())
    assert "Y2lwaGVydGV4dA" not in plan.to_json(graph)


def fingerprints(
    write_project: Callable[..., Path], program: str, config: str, key: bytes = b"one run"
) -> dict[str, object]:
    return dict(plan.run(write_project(program, config=config), "dev", fingerprint_key=key).outputs)


EXPORT = 'import pulumi\npulumi.export("token", pulumi.Config().require_secret("token"))\n'


def test_a_secret_equals_itself_and_differs_when_its_ciphertext_does(write_project: Callable[..., Path]) -> None:
    once = fingerprints(write_project, EXPORT, CONFIG)
    again = fingerprints(write_project, EXPORT, CONFIG)
    changed = fingerprints(write_project, EXPORT, CONFIG.replace("Y2lwaGVydGV4dA", "Y2hhbmdlZA"))
    assert once == again
    assert once != changed


def test_a_fingerprint_tells_nothing_to_another_run(write_project: Callable[..., Path]) -> None:
    program = 'import pulumi\npulumi.export("password", pulumi.Output.secret("1234"))\n'
    assert fingerprints(write_project, program, "", b"one") != fingerprints(write_project, program, "", b"other")


def test_a_manifest_with_a_secret_is_commented_out_so_that_no_placeholder_is_applied(
    planned: Plan, tmp_path: Path
) -> None:
    import yaml

    rendered = plan.render(planned(PROGRAM), tmp_path / "out")
    assert rendered.written.files == ("shared.yaml",)
    text = (tmp_path / "out" / "shared.yaml").read_text()
    assert [document for document in yaml.safe_load_all(text) if document] == []
    assert "# kind: Secret" in text
