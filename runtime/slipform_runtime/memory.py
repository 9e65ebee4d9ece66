"""The C library's heap: what a server is to keep of it, and what it gives back.

By default glibc keeps a heap for every few threads, and learns from each large block that is freed to keep the next
one: a server that once had large requests in hand stays large. Another C library is left as it is.
"""

import ctypes
from typing import Any, Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_LARGE_BYTES: Final = 256 * 1024  # blocks from this size on are the system's again as soon as they are freed


def keep_little() -> None:
    """One heap for all threads, and no large blocks in it. To be called before there are threads."""
    library = _library()
    if hasattr(library, "mallopt"):
        for parameter, value in (
            (_M_ARENA_MAX, 1),
            (_M_MMAP_THRESHOLD, _LARGE_BYTES),
            (_M_TRIM_THRESHOLD, _LARGE_BYTES),
        ):
            library.mallopt(parameter, value)


def give_back() -> None:
    """Return to the system what is free."""
    library = _library()
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(0)


def _library() -> Any:
    return ctypes.CDLL(None)
