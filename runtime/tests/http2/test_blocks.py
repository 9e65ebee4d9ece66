"""Header blocks mean what the library takes them for."""

import pytest
from hpack import Decoder, Encoder
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hypothesis import given, settings
from hypothesis import strategies as st

from slipform_runtime.http2.blocks import MAX_HEADER_LIST_BYTES, HeaderDecoder
from slipform_runtime.http2.frames import ErrorCode, Http2Error

NAMES = st.sampled_from([":method", ":path", "te", "content-type", "grpc-timeout", "x-a", "x-b"])
VALUES = st.sampled_from(["POST", "/a", "trailers", "application/grpc", "1S", "19999u", "", "x" * 300])
FIELDS = st.lists(st.tuples(NAMES, VALUES), min_size=1, max_size=8)
INDEXED_METHOD = 0x82  # `:method: GET` of the static table


@given(st.lists(FIELDS, min_size=1, max_size=20), st.booleans())
def test_blocks_of_one_connection_are_read_as_the_library_reads_them(
    blocks: list[list[tuple[str, str]]], huffman: bool
) -> None:
    encoder, library, ours = Encoder(), Decoder(), HeaderDecoder()
    for fields in blocks:
        block = encoder.encode(fields, huffman=huffman)
        assert ours.decode(block).fields == [tuple(field) for field in library.decode(block, raw=True)]


def _integer(number: int, pattern: int, mask: int) -> bytes:
    """Section 5.1, with `pattern` before the prefix."""
    if number < mask:
        return bytes((pattern | number,))
    parts, number = [pattern | mask], number - mask
    while number > 0x7F:
        parts.append(0x80 | number & 0x7F)
        number >>= 7
    return bytes((*parts, number))


@st.composite
def _strings(draw: st.DrawFn) -> bytes:
    text = draw(st.one_of(st.sampled_from([b"", b"te", b":path", b"19999u", b"x" * 300]), st.binary(max_size=12)))
    huffman = draw(st.booleans())
    if huffman and draw(st.booleans()):  # else what is there is taken for Huffman's code, and mostly is none
        text = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH).encode(text)
    return _integer(len(text), 0x80 if huffman else 0, 0x7F) + text


_INDICES = st.one_of(st.integers(0, 70), st.integers(0, 300))
_INDEXED = st.builds(lambda index: _integer(index, 0x80, 0x7F), _INDICES)
_LITERALS = st.builds(
    lambda kind, index, name, value: _integer(index, *kind) + (b"" if index else name) + value,
    st.sampled_from([(0x40, 0x3F), (0x00, 0x0F), (0x10, 0x0F)]),
    st.one_of(st.just(0), _INDICES),
    _strings(),
    _strings(),
)
_RESIZED = st.builds(lambda size: _integer(size, 0x20, 0x1F), st.sampled_from([0, 30, 31, 40, 100, 4096, 4097, 2**40]))
_BLOCKS = st.builds(
    lambda sizes, fields, cut: b"".join(sizes + fields)[: -cut or None],
    st.lists(_RESIZED, max_size=2),
    st.lists(st.one_of(_INDEXED, _LITERALS, _LITERALS, st.binary(max_size=3)), max_size=8),
    st.sampled_from([0, 0, 0, 1]),
)


@settings(max_examples=500)
@given(st.lists(st.one_of(_BLOCKS, st.binary(max_size=40)), min_size=1, max_size=12))
def test_whatever_a_connections_blocks_are_they_are_read_or_refused_as_by_the_library(blocks: list[bytes]) -> None:
    library, ours = Decoder(MAX_HEADER_LIST_BYTES), HeaderDecoder()
    for block in blocks:
        try:
            expected = [tuple(field) for field in library.decode(block, raw=True)]
        except Exception:
            with pytest.raises(Http2Error):
                ours.decode(block)
            return  # the connection has ended
        assert ours.decode(block).fields == expected


@pytest.mark.parametrize(
    ("block", "length"),
    [("82", 1), ("ff8000", 1), ("ff80808000", 1), ("ff8080808000", 1), ("ff808080808000", None), ("ff8080", None)],
)
def test_an_integer_has_no_more_than_the_bytes_of_32_bits(block: str, length: int | None) -> None:
    decoder = HeaderDecoder()
    for number in range(80):
        decoder.decode(b"\x40\x01a" + _integer(3, 0, 0x7F) + b"%03d" % number)
    if length is None:
        with pytest.raises(Http2Error):
            decoder.decode(bytes.fromhex(block))
    else:
        assert len(decoder.decode(bytes.fromhex(block)).fields) == length


def test_a_change_of_the_tables_size_after_a_field_is_refused() -> None:
    with pytest.raises(Http2Error) as refused:
        HeaderDecoder().decode(bytes((INDEXED_METHOD, 0x20)))
    assert refused.value.code is ErrorCode.COMPRESSION_ERROR


def test_a_small_block_that_repeats_a_large_field_is_refused() -> None:
    encoder, decoder = Encoder(), HeaderDecoder()
    large = ("x-large", "x" * 3000)
    decoder.decode(encoder.encode([large]))
    repeated = encoder.encode([large])
    assert len(repeated) == 1
    with pytest.raises(Http2Error) as refused:
        decoder.decode(repeated * (MAX_HEADER_LIST_BYTES // 3000 + 1))
    assert refused.value.code is ErrorCode.ENHANCE_YOUR_CALM
