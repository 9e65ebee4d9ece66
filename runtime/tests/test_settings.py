"""The config file: strict, and helpful where it is wrong."""

import json
from pathlib import Path

import pytest

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
    ],
)
def test_bad_arguments_end_with_2_and_one_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["serve", *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_a_taken_port_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        arguments = ["--model-repository", str(tmp_path), "--http-address", "127.0.0.1", "--http-port", port]
        assert cli.main(["serve", *arguments, "--grpc-port", "0", "--metrics-port", "0"]) == 2
    assert "address already in use" in capsys.readouterr().err.lower()


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
