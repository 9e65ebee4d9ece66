"""A ModelConfig as JSON: what `/config` answers and what a load request may bring."""

from typing import Any

import msgspec
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError

from slipform_runtime.errors import InvalidRequest
from slipform_runtime.protos import ModelConfig


def config_as_json(config: Any) -> dict[str, Any]:
    """A ModelConfig message as Triton's `/config` has it: int64 as numbers, and the defaults written out."""
    known: dict[str, Any] = MessageToDict(
        config, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return {name: _numbers(value, name) for name, value in known.items()}


def _numbers(value: Any, key: str = "") -> Any:
    """Protobuf's JSON writes 64-bit integers as strings; Triton, and who reads its config, has numbers."""
    if isinstance(value, dict):
        return {name: _numbers(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item, key) for item in value]
    if isinstance(value, str) and key in _INT64 and value.lstrip("-").isdigit():
        return int(value)
    return value


_INT64 = frozenset(
    (
        "dims",
        "shape",
        "versions",
        "max_queue_delay_microseconds",
        "default_timeout_microseconds",
        "default_priority_level",
        "priority_levels",
    )
)


def parse_config_parameter(model: str, parameters: dict[str, Any]) -> Any:
    """The ModelConfig that a load request brings in place of the file's, None where it brings none."""
    for name in parameters:
        if name.startswith("file:"):
            raise InvalidRequest("this server takes no model files by request; put them into the repository")
    given = parameters.get("config")
    if given is None:
        return None
    if not isinstance(given, str):
        raise InvalidRequest("parameter 'config' must be a string of JSON")
    try:
        config = ParseDict(msgspec.json.decode(given), ModelConfig())
    except (ParseError, msgspec.DecodeError, RecursionError, AttributeError, TypeError) as error:
        raise InvalidRequest(f"parameter 'config' is no model config: {error}") from error
    config.name = model
    return config
