"""Header fields: the rules for a request's fields (RFC 9113, section 8), and encoding.

The encoder never indexes: our few blocks are constants, and the client's table size need not concern us.
"""

import re
from functools import lru_cache

from slipform_runtime.http2.frames import ErrorCode, StreamError

_PSEUDO = frozenset((b":method", b":scheme", b":path", b":authority"))
_REQUIRED = (b":method", b":scheme", b":path")
_CONNECTION_SPECIFIC = frozenset(
    (b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade")
)  # section 8.2.2
_NAME = re.compile(rb"[!-9;-@[-~]+")  # visible, no upper case, no colon (section 8.2.1)
_NOT_IN_VALUES = re.compile(rb"[\0\r\n]")

Headers = dict[bytes, bytes]
Fields = list[tuple[bytes, bytes]]


def request_headers(stream_id: int, fields: Fields) -> Headers:
    """The fields of a request by name, repeated ones joined; raises StreamError where section 8 forbids them."""
    if fault := _fault_of_request(_names(fields)) or _fault_of_values(fields):
        raise _malformed(stream_id, fault)
    headers = dict(fields)
    if len(headers) < len(fields):
        headers = _joined(fields)
    for required in _REQUIRED:
        if not headers[required]:
            raise _malformed(stream_id, f"{required.decode()} is empty")
    if headers.get(b"te", b"trailers") != b"trailers":
        raise _malformed(stream_id, "a field is about the connection")
    return headers


def check_trailers(stream_id: int, fields: Fields) -> None:
    """Trailers have regular fields only (section 8.1)."""
    if fault := _fault_of_regular(_names(fields)) or _fault_of_values(fields):
        raise _malformed(stream_id, fault)


def content_length(stream_id: int, headers: Headers) -> int | None:
    """The declared length of the body."""
    value = headers.get(b"content-length")
    if value is None:
        return None
    if not value.isdigit() or len(value) > 18:
        raise _malformed(stream_id, "content-length is not a number")
    return int(value)


def block(*fields: tuple[bytes, bytes]) -> bytes:
    """A header block of literals without indexing (RFC 7541, section 6.2.2)."""
    return b"".join(b"\0" + _string(name) + _string(value) for name, value in fields)


def _string(value: bytes) -> bytes:
    length = len(value)
    if length < 127:
        return bytes((length,)) + value
    prefix = bytearray((127,))
    length -= 127
    while length >= 128:
        prefix.append(length % 128 + 128)
        length //= 128
    prefix.append(length)
    return bytes(prefix) + value


# Requests have the same names again and again: these are looked at once.


def _names(fields: Fields) -> tuple[bytes, ...]:
    return tuple([name for name, _ in fields])


@lru_cache
def _fault_of_request(names: tuple[bytes, ...]) -> str:
    """What is wrong with a request's names (section 8.3); empty for nothing."""
    pseudo = [name for name in names if name[:1] == b":"]
    if unknown := set(pseudo) - _PSEUDO:
        return f"there is no pseudo-header field {min(unknown)!r} in a request"
    if len(set(pseudo)) < len(pseudo):
        return "a pseudo-header field is given twice"
    if missing := set(_REQUIRED) - set(pseudo):
        return f"{min(missing).decode()} is missing"
    return _fault_of_regular(names[len(pseudo) :])


@lru_cache
def _fault_of_regular(names: tuple[bytes, ...]) -> str:
    """What is wrong with the names of regular fields (section 8.2); empty for nothing."""
    for name in names:
        if name[:1] == b":":
            return "a pseudo-header field is not before all regular ones"
        if not _NAME.fullmatch(name):
            return "a field's name is not a lower-case token"
        if name in _CONNECTION_SPECIFIC:
            return "a field is about the connection"
    return ""


def _joined(fields: Fields) -> Headers:
    headers: Headers = {}
    for name, value in fields:
        headers[name] = headers[name] + b"," + value if name in headers else value
    return headers


def _fault_of_values(fields: Fields) -> str:
    values = b" ".join([value for _, value in fields])
    return "a field's value has a line break" if _NOT_IN_VALUES.search(values) else ""


def _malformed(stream_id: int, reason: str) -> StreamError:
    return StreamError(stream_id, ErrorCode.PROTOCOL_ERROR, reason)
