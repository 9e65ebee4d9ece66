"""The image as it is built, and a container of it as a restricted pod runs it."""

import json
import re
import stat
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.markers import Marker

from runtime_testing.building import Workshop
from tests.image import ask, contents
from tests.image.conftest import RUNTIME, SECRET, Image
from tests.image.container import Container

PROJECT = tomllib.loads((RUNTIME / "pyproject.toml").read_text())["project"]
TOOLS = re.compile(
    r"(x86_64-linux-gnu-)?(gcc|g\+\+|cc|c\+\+|cpp|ld|as|make|cmake|git|curl|wget)(-[\d.]+)?|pip[\d.]*|uv"
)


def pinned(name: str, python: str) -> dict[str, str]:
    """The constraints that hold for a Python, such as "3.11": version by package."""
    found = {}
    for line in (RUNTIME / "constraints" / f"{name}.txt").read_text().splitlines():
        if "==" in line and not line.startswith(" "):
            requirement, _, marker = line.removesuffix(" \\").partition(" ; ")
            package, _, version = requirement.partition("==")
            if not marker or Marker(marker).evaluate({"python_version": python, "python_full_version": f"{python}.0"}):
                found[package] = version
    return found


def test_its_labels_and_ports_say_what_it_is(image: Image) -> None:
    labels = {name.rpartition(".")[2]: value for name, value in image.config["Labels"].items()}
    assert labels["title"] == PROJECT["name"]
    assert labels["version"] == PROJECT["version"]
    assert labels["licenses"] == PROJECT["license"]
    assert set(image.config["ExposedPorts"]) == {"8000/tcp", "8001/tcp", "8002/tcp"}


def test_its_user_is_a_number_and_not_root(image: Image) -> None:
    user, _, group = image.config["User"].partition(":")
    assert int(user) > 0
    assert int(group) > 0


def test_it_brings_what_the_constraints_name_and_nothing_else(image: Image) -> None:
    (python,) = (path.name.removeprefix("python") for path in image.root.glob("usr/bin/python3.*"))
    assert contents.packages(image.root) == {**pinned("cpu", python), PROJECT["name"]: PROJECT["version"]}


def test_no_build_tool_is_left(image: Image) -> None:
    folders = [image.root / path.lstrip("/") for path in ("/usr/bin", "/usr/sbin", "/usr/local/bin", "/bin", "/sbin")]
    programs = [entry.name for folder in folders for entry in folder.iterdir()]
    assert "python3" in programs
    assert [name for name in programs if TOOLS.fullmatch(name)] == []
    modules = [
        path for pattern in ("pip", "setuptools", "ensurepip") for path in image.root.rglob(f"{pattern}/__init__.py")
    ]
    assert modules == []
    assert not (image.root / "opt/build").exists()


def test_no_secret_of_the_build_is_left(image: Image) -> None:
    assert SECRET not in json.dumps(image.described)
    assert not (image.root / "run/secrets").exists()
    keeping = [path for path in contents.files(image.root) if SECRET.encode() in path.read_bytes()]
    assert keeping == []


def test_its_user_can_change_nothing_of_what_it_brings(image: Image) -> None:
    own = [image.root / contents.PACKAGES, image.root / "usr/local/bin/slipform-runtime"]
    found = [path for path in (*own, *own[0].rglob("*")) if not path.is_symlink()]
    writable = [
        path for path in found if path.stat().st_uid != 0 or path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    ]
    assert writable == []


def test_its_contents_are_said(image: Image, capsys: pytest.CaptureFixture[str]) -> None:
    table = contents.report(image.root)
    with capsys.disabled():
        print(f"\n{table}")
    assert "`onnxruntime`" in table


@pytest.mark.parametrize("user", [None, 1000], ids=["the image's user", "a pod's runAsUser"])
def test_it_answers_on_a_read_only_root_without_capabilities(
    start: Callable[..., Container], user: int | None, models: Path
) -> None:
    container = start(user)
    assert container.event("server_ready")["models"] == ["wine"]
    status = container.status
    assert int(status["Uid"].split()[0]) == (user or int(container.config["User"].partition(":")[0]))
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    asked = container.inside([sys.executable, ask.__file__])
    answers = json.loads(asked.stdout or "null") or pytest.fail(asked.stderr)
    assert answers["http"] == answers["grpc"]
    assert sum(answers["http"][0]) == pytest.approx(1)


def test_its_health_check_says_whether_it_is_ready(start: Callable[..., Container]) -> None:
    container = start()
    container.event("server_ready")
    check = container.config["Healthcheck"]["Test"]
    assert check[0] == "CMD"
    healthy = container.execute(check[1:])
    assert healthy.returncode == 0, healthy.stderr
    elsewhere = [part.replace(":8000/", ":8003/") for part in check[1:]]
    assert container.execute(elsewhere).returncode != 0


@pytest.mark.parametrize(("target", "filename"), [("onnx", "model.onnx"), ("openvino", "model.xml")])
def test_a_build_job_runs_in_it(image: Image, target: str, filename: str, tmp_path: Path) -> None:
    workshop = Workshop(tmp_path / "work")
    workshop.manifest |= {
        "target": target,
        "source": {**workshop.manifest["source"], "uri": "file:///job/models"},
        "output": {"uri": "file:///job/built", "filename": filename},
    }
    (workshop.root / "build.json").write_text(json.dumps(workshop.manifest))
    workshop.root.chmod(0o777)  # the image's user writes there
    command = ["slipform-runtime", "build", "--manifest", "/job/build.json", "--json"]
    report = json.loads(image.store.run(image.container, command, {workshop.root: "/job"}))
    assert report["target"] == target
    assert (workshop.built / "3" / filename).is_file()


def test_sigterm_ends_it_as_process_1_when_its_answers_are_given(start: Callable[..., Container]) -> None:
    container = start()
    container.event("server_ready")
    assert container.status["NSpid"].split()[-1] == "1"
    container.terminate()
    assert container.event("server_stopped")["abandoned"] == 0
    assert container.wait() == 0
