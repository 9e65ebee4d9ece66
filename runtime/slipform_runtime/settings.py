"""The `--config` file: JSON, strictly checked. Every field is documented beneath it."""

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
    """The settings in `path`, the defaults without one; raises SettingsError."""
    if path is None:
        return Settings()
    try:
        return parse_settings(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error


def parse_settings(text: bytes) -> Settings:
    """The settings in `text`."""
    try:
        return msgspec.json.decode(text, type=Settings)
    except msgspec.ValidationError as error:
        raise SettingsError(_with_suggestion(str(error), text)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SettingsError(f"not JSON: {error}") from error


def _with_suggestion(message: str, text: bytes) -> str:
    if "unknown field `" not in message:
        return message
    unknown = message.split("unknown field `")[1].split("`")[0]
    known = _fields_at(message.partition("at `$")[2].rstrip("`"))
    nearest = get_close_matches(unknown, known, 1)
    hint = f"; did you mean `{nearest[0]}`?" if nearest else f"; known are {', '.join(known)}"
    return message + hint


def _fields_at(path: str) -> list[str]:
    """The fields of the section that a message's path, e.g. `.drain` or `.models[...]`, names."""
    section: Any = Settings
    for name in re.findall(r"\.([a-z_]+)", path):
        kind = {field.name: field.type for field in msgspec.structs.fields(section)}[name]
        section = ModelSettings if name == "models" else kind
    return [field.name for field in msgspec.structs.fields(section)]
