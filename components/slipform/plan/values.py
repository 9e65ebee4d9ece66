"""The values that a graph holds: JSON values, in which a secret is present but never its content."""

from __future__ import annotations

import re
from typing import Any, TypeAlias

# None, bool, int, float, str (Secret among them), list and dict with str keys, nested.
Value: TypeAlias = Any

KNOWN_AFTER_APPLY = "<known after apply>"
HIDDEN = "[secret]"

_FINGERPRINTED = re.compile(r"\[secret(?::([0-9a-f]+))?\]")


class Secret(str):
    """Prints as `[secret]` wherever it ends up. Two are equal when their fingerprints are.

    The fingerprint is keyed by the run that made it: it compares, and tells nothing else.
    """

    __slots__ = ("fingerprint",)
    fingerprint: str

    def __new__(cls, fingerprint: str = "") -> Secret:
        secret = super().__new__(cls, HIDDEN)
        secret.fingerprint = fingerprint
        return secret

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.fingerprint == self.fingerprint

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((HIDDEN, self.fingerprint))


def decode(value: Value) -> Value:
    """The value of a JSON document, its `[secret]` and `[secret:<fingerprint>]` texts made `Secret`."""
    if isinstance(value, str):
        if not value.startswith("[secret"):
            return value
        match = _FINGERPRINTED.fullmatch(value)
        return Secret(match[1] or "") if match else value
    if isinstance(value, list):
        return [decode(item) for item in value]
    if isinstance(value, dict):
        return {key: decode(item) for key, item in value.items()}
    return value


def encode(value: Value) -> Value:
    """The reverse, for another process of the same run: fingerprints kept."""
    if isinstance(value, Secret):
        return f"[secret:{value.fingerprint}]" if value.fingerprint else HIDDEN
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, dict):
        return {key: encode(item) for key, item in value.items()}
    return value


def contains(value: Value, wanted: type[Secret] | str) -> bool:
    """Whether a secret (`Secret`) or a certain text (`KNOWN_AFTER_APPLY`) is anywhere in the value."""
    if isinstance(value, dict):
        return any(contains(item, wanted) for item in value.values())
    if isinstance(value, list):
        return any(contains(item, wanted) for item in value)
    if isinstance(wanted, str):
        return isinstance(value, str) and wanted in value
    return isinstance(value, wanted)
