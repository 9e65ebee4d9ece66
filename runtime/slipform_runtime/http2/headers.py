"""Header fields: decoding with bounds, the rules for a request's fields (RFC 9113, section 8), encoding.

Decoding in Python is the dearest part of a small request, and clients send the same block again and again. A block
that changes nothing in the dynamic table always means the same for as long as the table stays as it is; so its
meaning is remembered until the table changes.

The encoder never indexes: our few blocks are constants, and the client's table size need not concern us.
"""

from functools import lru_cache
from typing import Any

from hpack import Decoder, HPACKError, OversizedHeaderListError
from hpack.table import HeaderTable

from slipform_runtime.http2.frames import ErrorCode, Http2Error, StreamError

MAX_HEADER_LIST_BYTES = 32 * 1024
_REMEMBERED_BLOCKS = 64
_ENTRY_OVERHEAD = 32  # RFC 7541, section 4.1
_SIZE_UPDATE = 0x20  # the pattern 001 (section 6.3)

_PSEUDO = frozenset((b":method", b":scheme", b":path", b":authority"))
_CONNECTION_SPECIFIC = frozenset(
    (b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade")
)  # section 8.2.2

Headers = dict[bytes, bytes]
Fields = list[tuple[bytes, bytes]]


class HeaderBlock:
    """A decoded block. What it means as a request is checked once, however often it is sent."""

    __slots__ = ("_request", "fields")

    def __init__(self, fields: Fields) -> None:
        self.fields = fields
        self._request: Headers | None = None

    def as_request(self, stream_id: int) -> Headers:
        """The fields by name; raises StreamError where they are no request's."""
        if self._request is None:
            self._request = request_headers(stream_id, self.fields)
        return self._request

    def as_request_or_none(self) -> Headers | None:
        """The fields by name; None where they are no request's."""
        try:
            return self.as_request(0)
        except StreamError:
            return None


class _Table(HeaderTable):
    """The dynamic table, which counts its changes."""

    def __init__(self) -> None:
        super().__init__()
        self.changes = 0

    def add(self, name: bytes, value: bytes) -> None:
        self.changes += 1
        super().add(name, value)

    @property
    def maxsize(self) -> int:
        return super().maxsize

    @maxsize.setter
    def maxsize(self, size: int) -> None:
        self.changes += 1
        HeaderTable.maxsize.__set__(self, size)  # type: ignore[attr-defined]  # super() sets no properties


class HeaderDecoder:
    """The decoding context of one connection."""

    def __init__(self) -> None:
        self._decoder: Any = Decoder(max_header_list_size=MAX_HEADER_LIST_BYTES)
        self._table = self._decoder.header_table = _Table()
        self._known: dict[bytes, HeaderBlock] = {}

    def decode(self, block: bytes) -> HeaderBlock:
        """The fields of a whole header block; raises Http2Error, after which the connection cannot go on."""
        known = self._known.get(block)
        if known is not None:
            return known
        before = self._table.changes
        try:
            decoded = HeaderBlock(self._decode(block))
        except OversizedHeaderListError as error:
            raise Http2Error(ErrorCode.ENHANCE_YOUR_CALM, "the header list is too large") from error
        except (HPACKError, ValueError, IndexError) as error:
            raise Http2Error(ErrorCode.COMPRESSION_ERROR, "the header block is no HPACK") from error
        if self._table.changes != before:
            self._known.clear()
        elif len(self._known) < _REMEMBERED_BLOCKS:
            self._known[block] = decoded
        return decoded

    def _decode(self, block: bytes) -> Fields:
        """The fields that are in the table, of one byte each, and what the library makes of those after them.

        A client that sends deadlines changes the table with most requests, by their last field.
        """
        decoded: Fields = []
        left = MAX_HEADER_LIST_BYTES
        for byte in block:
            if not 0x80 < byte < 0xFF:
                break
            name, value = field = self._table.get_by_index(byte & 0x7F)
            left -= len(name) + len(value) + _ENTRY_OVERHEAD
            if left < 0:
                raise OversizedHeaderListError
            decoded.append(field)
        rest = block[len(decoded) :]
        if rest:
            if decoded and rest[0] & 0xE0 == _SIZE_UPDATE:
                raise HPACKError("a change of the table's size is not at the beginning")
            self._decoder.max_header_list_size = left
            decoded += [(bytes(name), bytes(value)) for name, value in self._decoder.decode(rest, raw=True)]
        return decoded


def request_headers(stream_id: int, fields: Fields) -> Headers:
    """The fields of a request by name, repeated ones joined; raises StreamError where section 8 forbids them."""
    headers: Headers = {}
    regular = False
    for name, value in fields:
        if name[:1] == b":":
            if regular:
                raise _malformed(stream_id, "a pseudo-header field follows a regular one")
            if name not in _PSEUDO:
                raise _malformed(stream_id, "there is no such pseudo-header field in a request")
            if name in headers:
                raise _malformed(stream_id, "a pseudo-header field is given twice")
            headers[name] = value
            continue
        regular = True
        if fault := _fault_of(name, value):
            raise _malformed(stream_id, fault)
        headers[name] = headers[name] + b"," + value if name in headers else value
    for required in (b":method", b":scheme", b":path"):
        if not headers.get(required):
            raise _malformed(stream_id, f"{required.decode()} is missing or empty")
    return headers


def check_trailers(stream_id: int, fields: Fields) -> None:
    """Trailers have regular fields only (section 8.1)."""
    for name, value in fields:
        if name[:1] == b":":
            raise _malformed(stream_id, "trailers have a pseudo-header field")
        if fault := _fault_of(name, value):
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


def _fault_of(name: bytes, value: bytes) -> str:
    """What is wrong with a regular field (section 8.2); empty for nothing."""
    if b"\0" in value or b"\r" in value or b"\n" in value:
        return "a field's value has a line break"
    if name == b"te" and value != b"trailers":
        return "a field is about the connection"
    return _fault_of_name(name)


@lru_cache
def _fault_of_name(name: bytes) -> str:
    # Section 8.2.1: names are lower-case tokens.
    if not name or name != name.lower() or any(byte <= 0x20 or byte >= 0x7F or byte == 0x3A for byte in name):
        return "a field's name is not a lower-case token"
    return "a field is about the connection" if name in _CONNECTION_SPECIFIC else ""


def _malformed(stream_id: int, reason: str) -> StreamError:
    return StreamError(stream_id, ErrorCode.PROTOCOL_ERROR, reason)
