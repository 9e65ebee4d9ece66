"""The config file: strict, and helpful where it is wrong."""

import contextlib
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime_testing.models import classifier, put
from slipform_runtime import cli
from slipform_runtime.settings import SettingsError, parse_settings, read_settings


def test_everything_is_optional() -> None:
    settings = parse_settings(b"{}")
    assert (settings.drain.delay_seconds, settings.cache.ttl_seconds, settings.trace.sample_rate) == (5, 1800, 0.05)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "not JSON"),
        (b"[]", "object"),
        (b'{"log_levle": "info"}', "did you mean `log_level`?"),
        (b'{"drain": {"delay_second": 1}}', "did you mean `delay_seconds`?"),
        (b'{"models": {"wine": {"lables": {}}}}', "did you mean `labels`?"),
        (b'{"zzz": 1}', "known are log_level, drain"),
        (b'{"log_level": "loud"}', "$.log_level"),
        (b'{"drain": {"delay_seconds": -1}}', ">= 0"),
        (b'{"cache": {"size_bytes": 0}}', ">= 1"),
        (b'{"trace": {"sample_rate": 2}}', "<= 1"),
        (b'{"latency_buckets_ms": [0]}', "> 0"),
    ],
)
def test_a_mistake_is_named(text: bytes, words: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parse_settings(text)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{\n "log_level": "info",\n "drain": {\n  "delay_secnds": 5\n }\n}', "4: Object contains unknown field"),
        ('{\n "drain": {"delay_seconds": 1},\n "cache": {\n  "ttl_seconds": 0}\n}', "4: Expected `float` > 0"),
        ('{\n "breaker": {},\n "trace": {},,\n}', "3: not JSON"),
        ('{\n "log_level": "info"\n', "3: not JSON"),
        ('{\n "log_level": "info",\n "log_level": "debug"}', "3: `log_level` is there twice"),
        (
            '{\n "models": {\n  "a": {"labels": {}},\n  "b": {\n   "lables": {}}}}',
            "5: model `b`: Object contains",
        ),
        ('{\n "models": {\n  "a": {"labels": {}},\n  "b": {\n   "labels": []}}}', "5: model `b`: Expected `object`"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "server.json"
    file.write_text(text)
    with pytest.raises(SettingsError) as refused:
        read_settings(file)
    assert str(refused.value).startswith(f"{file}:{words}")


KEYS = st.sampled_from(["models", "drain", "labels", "delay_seconds", "a"])
SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
JSON = st.recursive(SCALARS, lambda value: st.lists(value, max_size=3) | st.dictionaries(KEYS, value, max_size=4))


@given(JSON)
def test_any_json_is_settings_or_a_mistake_with_its_line(value: Any) -> None:
    with contextlib.suppress(SettingsError):
        parse_settings(json.dumps(value).encode())


def test_a_missing_file_is_said_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nope\.json"):
        read_settings(tmp_path / "nope.json")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model-repository", "nowhere"], "not a folder"),
        (["--model-repository", ".", "--config", "nope.json"], "nope.json"),
        (["--model-repository", ".", "--load-model", "x"], "--model-control-mode explicit"),
        (["--model-repository", ".", "--management-port", "1"], "go together"),
        (
            ["--model-repository", ".", "--management-port", "1", "--management-token-file", "nope"],
            "'nope': No such file",
        ),
        (["--model-repository", ".", "--http-address", "300.1.1.1"], "--http-address '300.1.1.1'"),
        (["--model-repository", ".", "--http-address", "192.0.2.1"], "--http-address '192.0.2.1'"),
    ],
)
def test_bad_arguments_end_with_2_and_one_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["serve", *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("option", ["--http-port", "--grpc-port", "--metrics-port"])
def test_a_taken_port_is_said(tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = {"--http-port": 0, "--grpc-port": 0, "--metrics-port": 0, option: taken.getsockname()[1]}
        arguments = [f"{name}={port}" for name, port in ports.items()]
        assert cli.main(["serve", f"--model-repository={tmp_path}", "--http-address=127.0.0.1", *arguments]) == 2
    assert f"{option} {ports[option]}: the port is taken" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["serve", "fetch", "build", "bench"])
def test_help_has_examples_and_exit_codes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "--help"])
    shown = capsys.readouterr().out
    assert ended.value.code == 0
    assert "exit codes" in shown
    assert f"slipform-runtime {command} " in shown.partition("example")[2]


def test_settings_of_a_model_that_is_not_there_are_said(
    repository: Path, serve: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    put(repository, "wine", classifier())
    serve(repository, settings={"models": {"wime": {"labels": {}}, "wine": {}}})
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "settings_unused" in line]
    assert '"model":"wime"' in line


def test_the_example_of_the_contract_is_read() -> None:
    example = {
        "log_level": "info",
        "drain": {"delay_seconds": 5, "timeout_seconds": 30},
        "cache": {"size_bytes": 536870912, "ttl_seconds": 1800},
        "latency_buckets_ms": [80, 120],
        "request_limit_bytes": 67108864,
        "trace": {"endpoint": "http://collector:4317", "sample_rate": 0.05},
        "breaker": {"failures": 5, "window_seconds": 30},
        "models": {"wine": {"labels": {"p": ["a", "b"]}, "handler": "/etc/slipform/handlers/wine.py"}},
    }
    assert parse_settings(json.dumps(example).encode()).models["wine"].labels["p"] == ["a", "b"]
