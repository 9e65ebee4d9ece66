"""What the digests are now, and a file's text with them."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..editing import checked, put, written
from ..spec.document import parse
from ..spec.findings import FieldPath
from .errors import Unresolved
from .image import Image
from .models import model_digest
from .pins import Pin
from .registry import Registries


@dataclass(frozen=True)
class Pinned:
    """A pin with the digest that it has now, or with why that can't be known."""

    pin: Pin
    now: str | None
    problem: Unresolved | None = None

    @property
    def has_moved(self) -> bool:
        return self.now is not None and self.pin.digest is not None and self.now != self.pin.digest


def resolve(pins: Iterable[Pin], root: Path) -> list[Pinned]:
    """Each pin with what its store or registry says; each is asked once, and none that fails keeps another from it.

    Raises ImportError where the package that asks is not installed.
    """
    known: dict[tuple[str, int], str | Unresolved] = {}
    registries: Registries | None = None
    found = []
    for pin in pins:
        key = (pin.ask, pin.version)
        if key not in known:
            try:
                if pin.kind == "model":
                    known[key] = model_digest(pin.source, pin.version, root)
                else:
                    registries = registries or Registries()
                    known[key] = registries.digest(_image(pin.ask))
            except Unresolved as problem:
                known[key] = problem
        answer = known[key]
        found.append(Pinned(pin, None, answer) if isinstance(answer, Unresolved) else Pinned(pin, answer))
    return found


def with_digests(text: str, found: Sequence[Pinned], file: Path) -> str:
    """The file's text with these digests in their places. Raises SlipformError where it can't be edited in place."""
    wanted: Mapping[str, Any] = copy.deepcopy(parse(text.removeprefix("\ufeff"), file).data)
    for each in found:
        pin, digest = each.pin, each.now or ""
        value = digest if pin.kind == "model" else _image(pin.source).at(digest)
        quote = (written(text, pin.place.path) or "")[:1]
        quote = quote if quote in ("'", '"') else ""
        text = put(text, pin.place.path, f"{quote}{value}{quote}", after=pin.place.after)
        _set(wanted, pin.place.path, value)
    return checked(text, wanted, file)


def _set(data: Any, path: FieldPath, value: str) -> None:
    for part in path[:-1]:
        data = data[part]
    data[path[-1]] = value


def _image(text: str) -> Image:
    image = Image.parse(text)
    if image is None:
        raise Unresolved(f"{text!r} is no image's name", "write registry/name:tag")
    return image
