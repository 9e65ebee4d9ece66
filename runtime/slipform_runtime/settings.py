"""The `--config` file: JSON, strictly checked. Every field is documented beneath it."""

import json
import re
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import msgspec

Positive = Annotated[float, msgspec.Meta(gt=0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
PositiveInt = Annotated[int, msgspec.Meta(gt=0)]


class SettingsError(Exception):
    """A config file that cannot be used."""


class Drain(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What happens between SIGTERM and the end."""

    delay_seconds: NotNegative = 5
    """How long the server goes on serving while it says that it is not ready, so that endpoints forget it."""

    timeout_seconds: NotNegative = 30
    """How long queued and running requests have after that."""


class Cache(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The response cache, for the models whose config.pbtxt enables it."""

    size_bytes: PositiveInt = 512 * 1024 * 1024
    """The most bytes that cached outputs take, over all models."""

    ttl_seconds: Positive = 1800
    """How long an answer may be used."""


class Trace(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """OpenTelemetry traces; they need the extra `slipform-runtime[otel]`."""

    endpoint: str = ""
    """The OTLP/gRPC collector, e.g. `http://otel-collector:4317`; empty sends none."""

    sample_rate: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.05
    """The share of requests without a parent that are traced."""


class Breaker(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """When a new version's failures bring the last good one back."""

    failures: PositiveInt = 5
    """So many failed executions …"""

    window_seconds: Positive = 30
    """… within so many seconds."""


class ModelSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What concerns one model."""

    labels: dict[str, list[str]] = {}
    """By output: the name of each class, for the plain routes."""

    handler: str = ""
    """A Python file with `preprocess(inputs)` and/or `postprocess(outputs)`, around the plain routes."""


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The whole file."""

    log_level: Annotated[str, msgspec.Meta(pattern="^(debug|info|warning|error)$")] = "info"
    """debug also writes one line per request."""

    drain: Drain = Drain()
    cache: Cache = Cache()

    latency_buckets_ms: list[Positive] = []
    """Buckets that `inference_latency_ms` has besides its own, e.g. an objective's bound."""

    request_limit_bytes: PositiveInt = 64 * 1024 * 1024
    """The most bytes of one request, before and after decompression."""

    trace: Trace = Trace()
    breaker: Breaker = Breaker()
    models: dict[str, ModelSettings] = {}
    """By model name."""


def read_settings(path: Path | None) -> Settings:
    """The settings in `path`, the defaults without one; raises SettingsError, which names file and line."""
    if path is None:
        return Settings()
    try:
        return parse_settings(path.read_bytes(), f"{path}:")
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error


def parse_settings(text: bytes, file: str = "line ") -> Settings:
    """The settings in `text`; raises SettingsError, which begins with `file` and the number of the line."""
    try:
        settings = msgspec.json.decode(text, type=Settings)
        json.loads(text, object_pairs_hook=_without_duplicates)
    except msgspec.ValidationError as error:
        message, keys = _explained(error, text)
        raise SettingsError(f"{file}{_line_of(keys, text)}: {message}") from error
    except _DuplicateError as error:
        raise SettingsError(f"{file}{_line_of([error.key] * 2, text)}: `{error.key}` is there twice") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        byte = re.search(r"\(byte (\d+)\)", str(error))
        line = text.count(b"\n", 0, int(byte[1]) if byte else None) + 1
        raise SettingsError(f"{file}{line}: not JSON: {error}") from error
    return settings


class _DuplicateError(Exception):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _without_duplicates(pairs: list[tuple[str, Any]]) -> None:
    seen = set()
    for key, _ in pairs:
        if key in seen:
            raise _DuplicateError(key)
        seen.add(key)


def _explained(error: msgspec.ValidationError, text: bytes) -> tuple[str, list[str]]:
    """What is wrong, in words that help, and the keys on the way there."""
    message = str(error)
    if "`$.models[...]" in message:  # of which model?
        for name, given in msgspec.json.decode(text)["models"].items():
            try:
                msgspec.convert(given, ModelSettings)
            except msgspec.ValidationError as own:
                told, keys = _told(str(own), ModelSettings)
                return f"model `{name}`: {told}", ["models", name, *keys]
    return _told(message, Settings)


def _told(message: str, section: Any) -> tuple[str, list[str]]:
    """A message on `section`, with the nearest name where one is unknown."""
    keys = re.findall(r"\.([a-z_]+)", message.rpartition("at `$")[2]) if "at `$" in message else []
    if "unknown field `" not in message:
        return message, keys
    unknown = message.split("unknown field `")[1].split("`")[0]
    for key in keys:
        section = {field.name: field.type for field in msgspec.structs.fields(section)}[key]
    known = [field.name for field in msgspec.structs.fields(section)]
    nearest = get_close_matches(unknown, known, 1)
    hint = f"; did you mean `{nearest[0]}`?" if nearest else f"; known are {', '.join(known)}"
    return message + hint, [*keys, unknown]


def _line_of(keys: list[str], text: bytes) -> int:
    """Where the last of these keys is, each after the one before it."""
    position = 0
    for key in keys:
        found = re.compile(rb"%b\s*:" % re.escape(json.dumps(key).encode())).search(text, position)
        position = found.end() if found else position
    return text.count(b"\n", 0, position) + 1
