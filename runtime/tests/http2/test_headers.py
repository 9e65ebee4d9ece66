"""Header blocks mean what the library takes them for, whichever part of them is read by ours."""

import pytest
from hpack import Decoder, Encoder
from hypothesis import given
from hypothesis import strategies as st

from slipform_runtime.http2.frames import ErrorCode, Http2Error
from slipform_runtime.http2.headers import MAX_HEADER_LIST_BYTES, HeaderDecoder

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


@given(st.binary(min_size=1, max_size=40))
def test_any_bytes_are_read_as_the_library_reads_them(block: bytes) -> None:
    try:
        expected = [tuple(field) for field in Decoder().decode(block, raw=True)]
    except Exception:
        with pytest.raises(Http2Error):
            HeaderDecoder().decode(block)
    else:
        assert HeaderDecoder().decode(block).fields == expected


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
