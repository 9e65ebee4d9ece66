"""Values as the engine sends them, as plain Python data, and the differences between two of them."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from google.protobuf import json_format, struct_pb2

Data = dict[str, Any]
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # what the engine knows as a value that is not known yet
_MISSING = object()


class Difference(NamedTuple):
    """One place at which two values differ: ("spec.ports[0].port", "update", 80, 81)."""

    path: str
    kind: str  # "add", "delete" or "update"
    old: Any
    new: Any


def decode(struct: struct_pb2.Struct) -> Data:
    decoded: Data = _restore_integers(json_format.MessageToDict(struct))
    return decoded


def encode(data: Mapping[str, Any]) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(dict(data))
    return struct


def differences(old: Any, new: Any, path: str = "") -> Iterator[Difference]:
    """Each place at which two values differ; maps are compared by key and lists by position."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from differences(old.get(key, _MISSING), new.get(key, _MISSING), join(path, key))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            before, after = (items[index] if index < len(items) else _MISSING for items in (old, new))
            yield from differences(before, after, f"{path}[{index}]")
    elif old is _MISSING:
        yield Difference(path, "add", None, new)
    elif new is _MISSING:
        yield Difference(path, "delete", old, None)
    elif old != new:
        yield Difference(path, "update", old, new)


def join(path: str, key: str) -> str:
    if any(character in key for character in '."[]'):
        return f'{path}["{key}"]'
    return f"{path}.{key}" if path else key


def _restore_integers(value: Any) -> Any:
    # The wire knows only floating-point numbers; Kubernetes tells integers from them.
    if isinstance(value, Mapping):
        return {key: _restore_integers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_restore_integers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
