"""Universal Binary JSON (ubjson.org, draft 12), as XGBoost writes its models; arrays of numbers are skipped over."""

from __future__ import annotations

import struct
from typing import Any

_NUMBERS = {"i": ">b", "U": ">B", "I": ">h", "l": ">i", "L": ">q", "d": ">f", "D": ">d"}
_CONSTANTS = {"Z": None, "T": True, "F": False}


def parse(data: bytes) -> Any:
    """The document. Raises ValueError for what is cut off or is none."""
    try:
        return _Reader(data).value()
    except (struct.error, IndexError, KeyError, UnicodeDecodeError, RecursionError) as problem:
        raise ValueError(f"not UBJSON: {problem}") from None


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def value(self, kind: str | None = None) -> Any:
        kind = kind or self._letter()
        if kind in _CONSTANTS:
            return _CONSTANTS[kind]
        if kind in "SH":
            return self._text()
        if kind == "C":
            return self._letter()
        if kind == "{":
            return self._object()
        if kind == "[":
            return self._array()
        return self._number(kind)

    def _object(self) -> dict[str, Any]:
        kind, count = self._bounds()
        found: dict[str, Any] = {}
        while count is None or len(found) < count:
            if count is None and self._next_is("}"):
                return found
            key = self._text()
            found[key] = self.value(kind)
        return found

    def _array(self) -> list[Any]:
        kind, count = self._bounds()
        if kind is not None and kind in _NUMBERS and count is not None:
            self._taken(count * struct.calcsize(_NUMBERS[kind]))
            return []
        found: list[Any] = []
        while count is None or len(found) < count:
            if count is None and self._next_is("]"):
                return found
            found.append(self.value(kind))
        return found

    def _bounds(self) -> tuple[str | None, int | None]:
        """The one type of all elements and their number, where they are given."""
        kind = self._letter() if self._next_is("$") else None
        count = int(self._number(self._letter())) if self._next_is("#") else None
        if count is not None and not 0 <= count <= len(self._data):
            raise ValueError(f"not UBJSON: {count} elements")
        return kind, count

    def _text(self) -> str:
        return self._taken(int(self._number(self._letter()))).decode()

    def _number(self, kind: str) -> int | float:
        layout = _NUMBERS[kind]
        (number,) = struct.unpack(layout, self._taken(struct.calcsize(layout)))
        return number  # type: ignore[no-any-return]

    def _next_is(self, letter: str) -> bool:
        found = self._data[self._at] == ord(letter)
        self._at += found
        return found

    def _letter(self) -> str:
        return chr(self._taken(1)[0])

    def _taken(self, size: int) -> bytes:
        if size < 0 or self._at + size > len(self._data):
            raise ValueError("not UBJSON: cut off")
        self._at += size
        return self._data[self._at - size : self._at]
