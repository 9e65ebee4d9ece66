"""Where a file holds digests, or should: read from plain data, since a tag where a digest belongs is not valid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from ..spec.document import Document
from ..spec.findings import FieldPath, Location
from ..spec.merging import overlay
from ..spec.stack import IMAGES, StackConfig
from .image import Image


@dataclass(frozen=True)
class Place:
    """Where a digest is written: a field of a file, and behind which key it comes when it is new."""

    file: Path
    path: FieldPath
    after: str | None
    location: Location


@dataclass(frozen=True)
class Pin:
    """One thing that a digest pins, and the digest that the file has.

    ``source`` is a model version's address, or an image's name; ``ask`` the name under which the stack pulls it.
    """

    kind: Literal["model", "image"]
    place: Place
    source: str
    version: int
    digest: str | None
    ask: str

    @property
    def called(self) -> str:
        """As people say it: the address of the version, or the image with its tag."""
        if self.kind == "image":
            return str(Image.parse(self.source) or self.source)
        is_file = "." in urlsplit(self.source).path.rpartition("/")[2]
        return self.source if is_file else f"{self.source}/{self.version}"


def pins_of_spec(file: Path, document: Document) -> Iterator[Pin]:
    """A spec's: of the model, of a candidate and of an image of its own; again where a stack has others."""
    data = document.data if isinstance(document.data, dict) else {}
    stacks = data.get("stacks")
    layers: list[tuple[FieldPath, Any, Any]] = [((), data, data)]
    for name, layer in stacks.items() if isinstance(stacks, dict) else ():
        layers.append((("stacks", name), layer, overlay(document, name)[0].data))
    for prefix, layer, whole in layers:
        model, candidate = _part(layer, "model"), _part(layer, "rollout", "candidate")
        if "uri" in model or "version" in model:
            yield from _model(file, document, (*prefix, "model"), model, _part(whole, "model"))
        if "uri" in candidate or "version" in candidate:
            effective = _part(whole, "model") | _part(whole, "rollout", "candidate")
            yield from _model(file, document, (*prefix, "rollout", "candidate"), candidate, effective)
        if isinstance(image := _part(layer, "serving").get("image"), str):
            yield _image(file, document, (*prefix, "serving", "image"), image, image)


def pins_of_stack(file: Path, document: Document) -> Iterator[Pin]:
    """A stack's images; through its mirror, if it has one, since that is what the nodes ask."""
    images = _part(document.data, "config", "slipform:images")
    mirror = images.get("mirror")
    for field in IMAGES:
        if isinstance(image := images.get(field), str):
            ask = f"{mirror}/{image}" if isinstance(mirror, str) else image
            yield _image(file, document, ("config", "slipform:images", field), image, ask)


def specs_of_stack(root: Path, document: Document) -> list[Path]:
    """The spec files that a stack's config names, whether or not the rest of it is right."""
    named = _part(document.data, "config").get("slipform:model_specs")
    patterns = named if isinstance(named, list) else StackConfig.model_fields["model_specs"].default
    return sorted({file for pattern in patterns for file in root.glob(str(pattern)) if file.name[0] != "."})


def _model(
    file: Path, document: Document, path: FieldPath, written: dict[str, Any], effective: dict[str, Any]
) -> Iterator[Pin]:
    uri, version = effective.get("uri"), effective.get("version", 1)
    if not isinstance(uri, str) or not str(version).isdecimal():
        return  # an ensemble, or a mistake that `validate` names
    digest = written.get("sha256")
    after = next((name for name in ("version", "uri") if name in written), None)
    here = (*path, "sha256") if digest else (*path, after) if after else path
    place = Place(file, (*path, "sha256"), after, document.location(here))
    yield Pin("model", place, uri, int(version), digest if isinstance(digest, str) else None, uri)


def _image(file: Path, document: Document, path: FieldPath, image: str, ask: str) -> Pin:
    parsed = Image.parse(image)
    place = Place(file, path, None, document.location(path))
    return Pin("image", place, image, 0, parsed.digest if parsed else None, ask)


def _part(data: Any, *path: str) -> dict[str, Any]:
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}
