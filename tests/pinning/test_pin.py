"""``slipform pin``: digests into the files, --check for CI, and nothing written where one can't be had."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipform.pinning import pins_of_spec
from slipform.review.sources import digest
from slipform.spec.document import parse
from tests.cli.conftest import Run, project, slipform

from .conftest import Registry

__all__ = ["project", "slipform"]

IRIS = "model_specs/iris.yaml"
OF_IRIS = "1e49b26da2bb3351c0d4592cb96fda46604e847bf20dbab9235d53a4c24a9bb9"


def stack_file(project: Path, runtime: str, triton: str = "") -> Path:
    """A stack with iris alone and these images."""
    file = project / "stacks" / "Pulumi.dev.yaml"
    file.write_text(
        "# ours\nconfig:\n  slipform:cluster: {context: kind-a, namespace: models}\n  slipform:has: [metrics-server]\n"
        f"  slipform:images:\n    runtime: {runtime}   # built nightly\n"
        + (f"    triton: '{triton}'\n" if triton else "")
        + "  slipform:model_specs: [model_specs/iris.yaml]\n",
        encoding="utf-8",
    )
    return file


def unpin(project: Path) -> Path:
    file = project / IRIS
    file.write_text(file.read_text(encoding="utf-8").replace(f"  sha256: {OF_IRIS}\n", ""), encoding="utf-8")
    return file


@pytest.fixture(autouse=True)
def _nobody_has_logged_in(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path_factory.mktemp("docker")))


def test_models_and_images_get_their_digests_and_all_else_stays(
    slipform: Run, project: Path, registry: Registry
) -> None:
    runtime, triton = registry.push("runtime", "1.4"), registry.push("triton", "26.08-py3")
    stack = stack_file(
        project, f"{registry.address}/runtime:1.4", f"{registry.address}/triton:26.08-py3@sha256:{'0' * 64}"
    )
    spec = unpin(project)
    before = {file: file.read_text(encoding="utf-8") for file in (spec, stack)}
    done = slipform("pin", "-s", "dev")
    assert done.returncode == 0, done.stderr
    assert done.stderr == "3 of 3 written\n"
    assert spec.read_text(encoding="utf-8") == before[spec].replace(
        "  version: 1\n", f"  version: 1\n  sha256: {OF_IRIS}\n"
    )
    assert stack.read_text(encoding="utf-8") == before[stack].replace(
        "runtime:1.4 ", f"runtime:1.4@{runtime} "
    ).replace(f"sha256:{'0' * 64}", triton)
    assert f"+  sha256: {OF_IRIS}\n" in done.stdout
    assert slipform("validate", "-s", "dev").returncode == 0
    assert slipform("pin", "-s", "dev").stderr == "0 of 3 written, 3 pinned before\n"
    assert slipform("pin", "-s", "dev", "--check").returncode == 0


def test_check_says_what_is_not_pinned_and_writes_nothing(slipform: Run, project: Path, registry: Registry) -> None:
    pushed = registry.push("runtime", "1.4")
    stack = stack_file(project, f"{registry.address}/runtime:1.4")
    text = unpin(project).read_text(encoding="utf-8")
    done = slipform("pin", "-s", "dev", "--check", "--format", "json")
    assert done.returncode == 1
    found = {each["field"]: each for each in json.loads(done.stdout)}
    assert found["model.sha256"]["allowed"] == OF_IRIS
    assert found["model.sha256"]["remedy"] == "slipform pin model_specs/iris.yaml"
    assert found["config.slipform:images.runtime"]["allowed"] == pushed
    assert found["config.slipform:images.runtime"]["remedy"] == "slipform pin -s dev"
    assert (project / IRIS).read_text(encoding="utf-8") == text
    assert pushed not in stack.read_text(encoding="utf-8")


def test_a_tag_that_has_moved_is_found_and_taken_over_on_demand(
    slipform: Run, project: Path, registry: Registry
) -> None:
    old = registry.push("moving", "1")
    stack = stack_file(project, f"{registry.address}/moving:1@{old}")
    new = registry.push("moving", "1", "another content")
    done = slipform("pin", "-s", "dev", "--check")
    assert done.returncode == 1
    assert f"{registry.address}/moving:1 has moved: another content than what was reviewed" in done.stdout
    assert slipform("pin", "-s", "dev").stderr == "0 of 2 written, 2 pinned before\n"
    assert slipform("pin", "-s", "dev", "--update").returncode == 0
    assert f"moving:1@{new} " in stack.read_text(encoding="utf-8")


def test_a_model_that_was_replaced_is_found(slipform: Run, project: Path, registry: Registry) -> None:
    stack_file(project, f"{registry.address}/runtime@{registry.push('runtime', '1')}")
    (project / "model_specs/models/iris/1/model.onnx").write_bytes(b"another")
    done = slipform("pin", IRIS, "--check", "--format", "github", "-s", "dev")
    assert done.returncode == 1
    assert done.stdout.startswith(
        "::error file=model_specs/iris.yaml,line=11,col=11,title=model.sha256::file:model_specs/models/iris/1 has moved"
    )


def test_a_folder_in_the_project_has_the_digest_that_the_runtime_finds(tmp_path: Path) -> None:
    digests = pytest.importorskip("slipform_runtime.fetch.digest", reason="the runtime is not installed")
    for number, name in enumerate(("a", "b/c", "b.d", "e", "f/g/h")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(bytes(number))
    assert digest(tmp_path) == digests.folder_sha256(tmp_path)


def test_an_image_that_is_gone_is_found(slipform: Run, project: Path, registry: Registry) -> None:
    digest = registry.push("gone", "1")
    stack_file(project, f"{registry.address}/gone@{digest}")
    assert slipform("pin", "-s", "dev", "--check").returncode == 0
    registry.delete("gone", digest)
    done = slipform("pin", "-s", "dev", "--check")
    assert done.returncode == 2
    assert f"{registry.address} has no {registry.address}/gone@{digest}" in done.stdout


def test_nothing_is_written_where_one_cannot_be_had(slipform: Run, project: Path, registry: Registry) -> None:
    stack_file(project, "127.0.0.1:1/runtime:1.4", f"{registry.address}/none:1")
    text = unpin(project).read_text(encoding="utf-8")
    done = slipform("pin", "-s", "dev")
    assert done.returncode == 2
    assert done.stderr.startswith("nothing is written:\n")
    assert "127.0.0.1:1 could not be reached" in done.stderr
    assert f"{registry.address} has no {registry.address}/none:1" in done.stderr
    assert "Traceback" not in done.stderr
    assert (project / IRIS).read_text(encoding="utf-8") == text


def test_a_mirror_is_asked_since_the_nodes_pull_from_it(slipform: Run, project: Path, registry: Registry) -> None:
    pushed = registry.push("cache/nvcr.example.com/runtime", "1")
    stack = stack_file(project, "nvcr.example.com/runtime:1")
    text = stack.read_text(encoding="utf-8")
    stack.write_text(text.replace("images:\n", f"images:\n    mirror: {registry.address}/cache\n"), encoding="utf-8")
    assert slipform("pin", "-s", "dev").returncode == 0
    assert f"runtime: nvcr.example.com/runtime:1@{pushed} " in stack.read_text(encoding="utf-8")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An S3 of this machine with one model."""
    try:
        import s3fs
        from moto.server import ThreadedMotoServer
    except ImportError as missing:
        if "CI" in os.environ:
            raise
        pytest.skip(f"not installed: {missing.name}")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "a",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    files = s3fs.S3FileSystem()
    files.mkdir("acme")
    for name, content in (("2/model.onnx", b"graph"), ("2/weights.bin", b"weights"), ("3/model.onnx", b"new")):
        files.pipe(f"acme/fraud/{name}", content)
    yield "s3://acme/fraud"
    server.stop()


def folder_digest(files: dict[str, bytes]) -> str:
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items()]
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def test_a_model_and_its_candidate_in_a_bucket_are_fetched_and_pinned(
    slipform: Run, project: Path, bucket: str, registry: Registry
) -> None:
    stack_file(project, f"{registry.address}/runtime@{registry.push('runtime', '1')}")
    spec = project / "model_specs/fraud.yaml"
    text = spec.read_text(encoding="utf-8").replace("s3://acme-models/fraud", bucket)
    text = text.replace("version: 12", "version: 2").replace("candidate: {version: 13}", "candidate: {version: 3}")
    spec.write_text(text, encoding="utf-8")
    done = slipform("pin", "model_specs/fraud.yaml", "-s", "dev")
    assert done.returncode == 0, done.stderr
    old = folder_digest({"model.onnx": b"graph", "weights.bin": b"weights"})
    new = folder_digest({"model.onnx": b"new"})
    assert spec.read_text(encoding="utf-8") == text.replace("version: 2\n", f"version: 2\n  sha256: {old}\n").replace(
        "candidate: {version: 3}", f"candidate: {{version: 3, sha256: {new}}}"
    )


def test_a_stack_with_a_version_of_its_own_has_a_digest_of_its_own() -> None:
    text = """\
model: {uri: s3://a/b, version: 1, sha256: x}
serving: {image: r.example.com/a:1}
stacks:
  dev: {model: {version: 2}}
  prod: {scaling: {max_replicas: 3}}
  edge: {model: {uri: https://a/b.onnx}, serving: {image: r.example.com/a:2}}
"""
    pins = pins_of_spec(Path("a.yaml"), parse(text, Path("a.yaml")))
    assert [(".".join(map(str, pin.place.path)), pin.called, pin.digest) for pin in pins] == [
        ("model.sha256", "s3://a/b/1", "x"),
        ("serving.image", "r.example.com/a:1", None),
        ("stacks.dev.model.sha256", "s3://a/b/2", None),
        ("stacks.edge.model.sha256", "https://a/b.onnx", None),
        ("stacks.edge.serving.image", "r.example.com/a:2", None),
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-s", "prd"), "no stack 'prd': did you mean 'prod'?"),
        (("nowhere.yaml",), "nowhere.yaml: error: can't be read"),
        (("stacks/empty",), "can't be read"),
    ],
)
def test_a_wrong_call_ends_with_2_and_says_why(slipform: Run, arguments: tuple[str, ...], said: str) -> None:
    done = slipform("pin", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_without_what_asks_for_digests_it_says_what_to_install(slipform: Run, project: Path) -> None:
    hidden = project / "hidden"
    hidden.mkdir()
    (hidden / "requests.py").write_text("raise ModuleNotFoundError('no', name='requests')\n", encoding="utf-8")
    stack_file(project, "r.example.com/runtime:1")
    done = slipform("pin", "-s", "dev", PYTHONPATH=f"{hidden}")
    assert (done.returncode, done.stderr) == (
        2, "slipform: requests is not installed here, and asks for digests: pip install 'slipform[pin]'\n"
    )  # fmt: skip
