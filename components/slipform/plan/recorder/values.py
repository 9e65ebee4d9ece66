"""Plain JSON values from the protobuf structs in which Pulumi sends properties."""

from __future__ import annotations

import hmac
import json
from typing import Any

# Pulumi's wire format: https://github.com/pulumi/pulumi/blob/master/developer-docs/providers/implementers-guide.md
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105  a signature of the wire format
RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e"
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

KNOWN_AFTER_APPLY = "<known after apply>"


class Decoder:
    """Turns a struct into JSON values in which no secret is left.

    A secret becomes `[secret:<fingerprint>]`. The fingerprint is keyed, so that two graphs made with the same key can
    tell whether a secret changed, and nobody who sees one can try passwords against it.
    """

    def __init__(self, fingerprint_key: bytes) -> None:
        self._key = fingerprint_key

    def struct(self, struct: Any) -> dict[str, Any]:
        fields = struct.fields
        return {key: self.value(fields[key]) for key in sorted(fields)}

    def value(self, value: Any) -> Any:
        kind = value.WhichOneof("kind")
        if kind == "string_value":
            return KNOWN_AFTER_APPLY if value.string_value == UNKNOWN else value.string_value
        if kind == "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        if kind == "bool_value":
            return value.bool_value
        if kind == "struct_value":
            fields = value.struct_value.fields
            if SIGNATURE in fields:
                return self._special(fields[SIGNATURE].string_value, fields)
            return {key: self.value(fields[key]) for key in sorted(fields)}
        if kind == "list_value":
            return [self.value(item) for item in value.list_value.values]
        return None

    def _special(self, signature: str, fields: Any) -> Any:
        if signature == SECRET:
            return self._sealed(self.value(fields["value"]))
        if signature == RESOURCE:
            return fields["urn"].string_value
        if signature == OUTPUT:
            if "value" not in fields:
                return KNOWN_AFTER_APPLY
            value = self.value(fields["value"])
            return self._sealed(value) if "secret" in fields and fields["secret"].bool_value else value
        # Assets and archives: what they are made of, without the signature.
        return {key: self.value(fields[key]) for key in sorted(fields) if key != SIGNATURE}

    def _sealed(self, value: Any) -> str:
        text = json.dumps(value, sort_keys=True).encode()
        return f"[secret:{hmac.digest(self._key, text, 'sha256').hex()[:16]}]"
