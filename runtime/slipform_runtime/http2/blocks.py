"""Header blocks of one connection to fields (RFC 7541); the tables and Huffman's code are those of the `hpack` library.

Clients send the same block again and again. One that changes nothing in the dynamic table always means the same for as
long as the table stays as it is; so its meaning is remembered until the table changes. A client that sends deadlines
changes the table with each request: its blocks are fields of the table, and one that is not there yet.
"""

from hpack import HPACKError, OversizedHeaderListError
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

from slipform_runtime.http2.frames import ErrorCode, Http2Error, StreamError
from slipform_runtime.http2.headers import Fields, Headers, request_headers

MAX_HEADER_LIST_BYTES = 32 * 1024
_MAX_TABLE_BYTES = HeaderTable.DEFAULT_SIZE  # our SETTINGS name no other
_REMEMBERED_BLOCKS = 64
_ENTRY_OVERHEAD = 32  # section 4.1
_LARGEST_SHIFT = 28  # an integer of more bytes fits no 32 bits (section 5.1)


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


class HeaderDecoder:
    """The decoding context of one connection."""

    def __init__(self) -> None:
        self._table = HeaderTable()
        self._known: dict[bytes, HeaderBlock] = {}

    def decode(self, block: bytes) -> HeaderBlock:
        """The fields of a whole header block; raises Http2Error, after which the connection cannot go on."""
        known = self._known.get(block)
        if known is not None:
            return known
        try:
            fields, changed = self._read(block)
        except OversizedHeaderListError as error:
            raise Http2Error(ErrorCode.ENHANCE_YOUR_CALM, "the header list is too large") from error
        except (HPACKError, IndexError) as error:
            raise Http2Error(ErrorCode.COMPRESSION_ERROR, "the header block is no HPACK") from error
        decoded = HeaderBlock(fields)
        if changed:
            self._known.clear()
        elif len(self._known) < _REMEMBERED_BLOCKS:
            self._known[block] = decoded
        return decoded

    def _read(self, block: bytes) -> tuple[Fields, bool]:
        """The fields, and whether the table has changed (section 6); raises HPACKError, or IndexError past the end."""
        table = self._table
        fields: Fields = []
        changed = False
        position, end, left = 0, len(block), MAX_HEADER_LIST_BYTES
        while position < end:
            first = block[position]
            if first & 0x80:  # an indexed field
                index, position = _integer(block, position, 0x7F)
                name, value = field = table.get_by_index(index)
            elif first & 0xE0 == 0x20:  # a change of the table's size
                size, position = _integer(block, position, 0x1F)
                if fields or size > _MAX_TABLE_BYTES:
                    raise HPACKError("a change of the table's size that is not allowed")
                table.maxsize = size
                changed = True
                continue
            else:  # a literal: with indexing, without, or never to be indexed
                indexed = first & 0x40
                index, position = _integer(block, position, 0x3F if indexed else 0x0F)
                if index:
                    name, _ = table.get_by_index(index)
                else:
                    name, position = _string(block, position)
                value, position = _string(block, position)
                field = name, value
                if indexed:
                    table.add(name, value)
                    changed = True
            left -= len(name) + len(value) + _ENTRY_OVERHEAD
            if left < 0:
                raise OversizedHeaderListError
            fields.append(field)
        return fields, changed


def _integer(block: bytes, position: int, mask: int) -> tuple[int, int]:
    """An integer whose prefix is what `mask` leaves of its first byte, and where to read on (section 5.1)."""
    number = block[position] & mask
    position += 1
    if number < mask:
        return number, position
    for shift in range(0, _LARGEST_SHIFT + 1, 7):
        byte = block[position]
        position += 1
        number += (byte & 0x7F) << shift
        if byte < 0x80:
            return number, position
    raise HPACKError("an integer is too large")


def _string(block: bytes, position: int) -> tuple[bytes, int]:
    """A string literal, and where to read on (section 5.2)."""
    huffman = block[position] & 0x80
    length, start = _integer(block, position, 0x7F)
    end = start + length
    if end > len(block):
        raise HPACKError("a string goes on past the end")
    text = block[start:end]
    return decode_huffman(text) if huffman else text, end
