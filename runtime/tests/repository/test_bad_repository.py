"""Models that cannot be served: each says why, without a path of the machine, and those beside it serve."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto

from runtime_testing.models import BATCHING, identity, put
from slipform_runtime.protos import ModelConfig
from slipform_runtime.repository.loader import load_version
from slipform_runtime.repository.repository import ModelRepository

Make = Callable[[Path], object]
FP32, INT32 = "TYPE_FP32", "TYPE_INT32"


def config(text: str, model: Any = None) -> Make:
    return lambda root: put(root, "bad", model or identity(), text)


def ensemble(x: str = FP32, y: str = FP32, dims: int = 4, version: int = -1, rows: int = 4) -> Make:
    text = f"""
    platform: "ensemble" max_batch_size: {rows}
    input {{ name: "x" {x and f"data_type: {x}"} dims: [{dims}] }}
    output {{ name: "y" {y and f"data_type: {y}"} dims: [4] }}
    ensemble_scheduling {{ step {{ model_name: "good" model_version: {version}
      input_map {{ key: "x" value: "x" }} output_map {{ key: "y" value: "y" }} }} }}
    """
    return file("config.pbtxt", text.encode(), "bad/1")


def file(name: str, data: bytes, folder: str = "bad/1") -> Make:
    def make(root: Path) -> None:
        (root / folder).mkdir(parents=True)
        (root / "bad" / name).write_bytes(data)

    return make


def link(name: str, target: str) -> Make:
    def make(root: Path) -> None:
        (root / "bad" / "1").mkdir(parents=True)
        (root / "bad" / name).symlink_to(target)

    return make


def warmup(value: str, rows: int = 1) -> Make:
    inputs = f'inputs {{ key: "x" value {{ data_type: TYPE_FP32 {value} }} }}'
    return config(f'max_batch_size: 4 model_warmup {{ name: "w" batch_size: {rows} {inputs} }}')


def load(root: Path) -> tuple[list[int], dict[str, str]]:
    """What the bad model serves and why not the rest, after the good one beside it was seen to serve."""

    async def run() -> tuple[list[int], dict[str, str]]:
        repository = ModelRepository(root, asyncio.get_running_loop())
        await repository.load_all(repository.names_on_disk())
        assert repository.models["good"].versions
        bad = repository.models["bad"]
        found = sorted(bad.versions), dict(bad.failures)
        await repository.close()
        return found

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(lambda root: (root / "bad").mkdir(), "there is no version", id="no version"),
        pytest.param(lambda root: (root / "bad" / "1").mkdir(parents=True), "has no file model.onnx", id="no file"),
        pytest.param(
            lambda root: (root / "bad/1/model.onnx").mkdir(parents=True), "has no file", id="a folder as file"
        ),
        pytest.param(link("1/model.onnx", "nowhere"), "has no file", id="a link to nothing"),
        pytest.param(link("1/model.onnx", "model.onnx"), "Too many levels of symbolic links", id="a link to itself"),
        pytest.param(link("config.pbtxt", "nowhere"), "No such file", id="a config that links to nothing"),
        pytest.param(file("1", b"x", "bad"), "there is no version", id="a file as version"),
        pytest.param(file("1/model.onnx", b""), "No graph was found", id="an empty model"),
        pytest.param(file("1/model.onnx", bytes(1000)), "Protobuf parsing failed", id="no model"),
        pytest.param(file("1/model.onnx", identity().SerializeToString()[:30]), "parsing failed", id="half a model"),
        pytest.param(file("config.pbtxt", b"\xff\xfe"), "not UTF-8 text", id="a config that is no text"),
        pytest.param(file("config.pbtxt", b"\0"), "config.pbtxt:1:1", id="NUL in the config"),
        pytest.param(config('default_model_filename: "/etc/passwd"'), "not the name of a file", id="a file elsewhere"),
        pytest.param(
            config('default_model_filename: "../../good/1/model.onnx"'), "not the name of a file", id="another's file"
        ),
        pytest.param(config('input { name: "x" data_type: TYPE_BF16 dims: [4] }'), "is TYPE_BF16", id="BF16"),
        pytest.param(config("", identity(TensorProto.BFLOAT16)), "tensor(bfloat16)", id="BF16 in the model"),
        pytest.param(config("", identity(TensorProto.COMPLEX64)), "complex64", id="a type of ONNX alone"),
        pytest.param(config('input { name: "x" } input { name: "x" }'), "has input 'x' twice", id="an input twice"),
        pytest.param(config('backend: "python"'), "not one of this server's", id="another backend"),
        pytest.param(config('platform: "tensorflow_savedmodel"'), "not one of this server's", id="another platform"),
        pytest.param(config("instance_group { count: -1 }"), "count must be 0 or more", id="a negative count"),
        pytest.param(config("instance_group { kind: KIND_CPU gpus: [0] }"), "gpus are for KIND_GPU", id="GPUs on CPU"),
        pytest.param(
            config("version_policy { specific { versions: 7 } }"), "serves none of the versions 1", id="no such version"
        ),
        pytest.param(
            config("max_batch_size: 4 dynamic_batching { priority_levels: 2 }"), "between 1 and", id="no level"
        ),
        pytest.param(warmup("dims: [-1] zero_data: true"), "no dimension below 0", id="a warm-up of -1"),
        pytest.param(warmup("dims: [4000000000000] zero_data: true"), "at most 256 MiB", id="a huge warm-up"),
        pytest.param(warmup("dims: [4] zero_data: true", 10**9), "at most 256 MiB", id="a huge batch to warm up"),
        pytest.param(warmup('dims: [4] input_data_file: "../../x"'), "there is no file warmup/", id="a file outside"),
        pytest.param(config('platform: "ensemble"'), "ensemble_scheduling has no step", id="no steps"),
        pytest.param(ensemble(x=""), "'x' has no data_type", id="an ensemble without types"),
        pytest.param(ensemble(version=9), "no version 9", id="a version that is not there"),
        pytest.param(ensemble(x=INT32), "takes 'x' as FP32 [4], which is made as INT32 [4]", id="a step's other type"),
        pytest.param(ensemble(dims=5), "takes 'x' as FP32 [4], which is made as FP32 [5]", id="a step's other size"),
        pytest.param(
            ensemble(y=INT32), "gives 'y' as INT32 [4], which is made as FP32 [4]", id="an output's other type"
        ),
        pytest.param(ensemble(rows=400), "step 'good' takes at most 8", id="more rows than a step takes"),
    ],
)
def test_a_model_that_cannot_be_served_says_why_and_hurts_no_other(repository: Path, make: Make, words: str) -> None:
    put(repository, "good", identity(), BATCHING)
    make(repository)
    served, failures = load(repository)
    (reason,) = failures.values()
    assert not served
    assert words in reason
    assert str(repository) not in reason


def test_a_batch_that_is_too_large_to_warm_up_is_served(repository: Path) -> None:
    put(repository, "good", identity(), BATCHING)
    put(repository, "bad", identity(), "max_batch_size: 2000000000")
    assert load(repository) == ([1], {})


def test_what_nobody_foresaw_is_logged_whole_and_told_briefly(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(repository, "good", identity(), BATCHING)
    put(repository, "bad", identity())

    def broken(folder: Path, *rest: Any) -> Any:
        if folder.name == "bad":
            raise KeyError(str(folder))
        return load_version(folder, *rest)

    monkeypatch.setattr("slipform_runtime.repository.repository.load_version", broken)
    assert load(repository) == ([], {"1": "this model could not be loaded; the server's log says why"})
    assert "KeyError" in capsys.readouterr().out


def test_a_folder_that_is_removed_while_it_is_loaded_is_said(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(repository, "good", identity(), BATCHING)
    put(repository, "bad", identity())

    def remove_first(folder: Path, *rest: Any) -> Any:
        shutil.rmtree(repository / "bad", ignore_errors=True)
        return load_version(folder, *rest)

    monkeypatch.setattr("slipform_runtime.repository.repository.load_version", remove_first)
    assert load(repository) == ([], {"1": "version 1 has no file model.onnx"})


def test_a_folder_that_can_be_no_model_is_said(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("good", "bad", "my model"):
        put(repository, name, identity())
    (repository / ".git").mkdir()
    load(repository)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "folders_ignored" in line]
    assert '"folders":["my model"]' in line


_FIELDS = st.sampled_from([field.name for field in ModelConfig.DESCRIPTOR.fields])
_VALUES = st.sampled_from(['"x"', "1", "-1", "[1]", "{}", "{ }", "true", "TYPE_FP32", "18446744073709551615"])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=st.lists(st.tuples(_FIELDS, _VALUES), max_size=3))
def test_any_config_is_served_or_says_why(
    tmp_path_factory: pytest.TempPathFactory, fields: list[tuple[str, str]]
) -> None:
    root = tmp_path_factory.mktemp("any")
    put(root, "good", identity(), BATCHING)
    put(
        root,
        "bad",
        identity(),
        " ".join(f"{name}: {value}" if value[0] != "{" else f"{name} {value}" for name, value in fields),
    )
    served, failures = load(root)
    assert served or failures
    assert "log says why" not in str(failures)
