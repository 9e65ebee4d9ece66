"""Compressed bodies and messages: those that clients send, and those that they ask for."""

import zlib
from functools import lru_cache

from slipform_runtime.errors import InvalidRequest, RequestTooLarge

WORTH_BYTES = 2048
"""What is shorter goes as it is: it takes one packet or two, however well it is packed."""

LARGE_BYTES = 128 * 1024
"""What is longer takes milliseconds, for which the event loop must not wait."""

_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # `deflate` is zlib's format (RFC 9110, section 8.4.1.2)
_LEVEL = 1  # of 9: numbers hardly get smaller by more work
_SAMPLE_BYTES = 4096
_WORTH_RATIO = 0.85


def is_known(encoding: str) -> bool:
    """Whether bodies in this encoding are read."""
    return encoding in _WINDOW_BITS


def decompress(data: bytes | bytearray, encoding: str, limit: int, what: str) -> bytes:
    """`data` as it was; raises where it is not one whole stream of that encoding, or grows past `limit` bytes."""
    inflate = zlib.decompressobj(_WINDOW_BITS[encoding])
    try:
        content = inflate.decompress(data, limit + 1)
    except zlib.error as error:
        raise InvalidRequest(f"{what} is not {encoding}") from error
    if len(content) > limit:
        raise RequestTooLarge(f"{what} is over the limit of {limit} bytes when decompressed")
    if not inflate.eof or inflate.unused_data:
        raise InvalidRequest(f"{what} is not one whole {encoding} stream")
    return content


def compress(data: bytes, encoding: str) -> bytes | None:
    """`data`, smaller; None where it hardly would be, which a part of it shows."""
    middle = len(data) // 2
    sample = data[middle : middle + _SAMPLE_BYTES]
    if len(zlib.compress(sample, _LEVEL)) > _WORTH_RATIO * len(sample):
        return None
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW_BITS[encoding])
    return deflate.compress(data) + deflate.flush()


@lru_cache
def accepted(header: str) -> str:
    """The encoding that an `Accept-Encoding` asks for (RFC 9110, section 12.5.3): gzip, deflate, or none (empty)."""
    weights: dict[str, float] = {}
    for choice in header.lower().split(","):
        name, _, parameter = choice.partition(";")
        weights[name.strip()] = _weight(parameter.strip())
    best, chosen = 0.0, ""
    for encoding in ("gzip", "deflate"):
        weight = weights.get(encoding, weights.get("*", 0.0))
        if weight > best:
            best, chosen = weight, encoding
    return chosen if best >= weights.get("identity", 0.0) else ""


def _weight(parameter: str) -> float:
    """`q=0.5`; 1 where there is none, 0 for what is none."""
    if not parameter:
        return 1.0
    try:
        return float(parameter.removeprefix("q="))
    except ValueError:
        return 0.0
