"""Writes docs/reference/: every field of the model spec and of the stack config, from the types themselves.

python tools/reference.py
python tools/reference.py --check       exit with 1 where a page is stale
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from slipform.spec.modelspec import ModelSpec
from slipform.spec.shape import part_at
from slipform.spec.stack import StackConfig
from slipform.spec.wording import shown

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
PAGES: dict[str, tuple[str, type[BaseModel], str]] = {
    "spec.md": ("The model spec", ModelSpec, "One file in `model_specs/` for each model."),
    "stack.md": (
        "The stack config",
        StackConfig,
        "The keys under `config:` in `stacks/Pulumi.<stack>.yaml`, each written `slipform:<field>`.",
    ),
}


def page(title: str, root: type[BaseModel], where: str) -> str:
    lines = [f"# {title}", "", "Made by `tools/reference.py` from the types; don't edit.", "", where, ""]
    for path, part in sections(root, ""):
        lines += [f"## {path or 'The file'}", "", first_line(part), ""]
        lines += ["| field | default | meaning | example |", "| --- | --- | --- | --- |"]
        lines += [row(name, field) for name, field in part.model_fields.items()]
        lines.append("")
    return "\n".join(lines)


def sections(part: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """The part, then those within it, each under the path by which a spec reaches it."""
    yield path, part
    seen: set[type[BaseModel]] = set()
    for name, field in part.model_fields.items():
        for example in field.examples or ():
            for below, inner in inner_parts(part, name, example):
                if inner not in seen:
                    seen.add(inner)
                    yield from sections(inner, f"{path}.{name}{below}" if path else f"{name}{below}")
        if name == "rollout":
            for strategy in ("blue-green", "shadow", "ab"):
                inner_part = part_at(part, (name,), {name: {"strategy": strategy}})
                if inner_part is not None:
                    yield from sections(inner_part, f"{name} ({strategy})")


def inner_parts(part: type[BaseModel], name: str, example: Any) -> Iterator[tuple[str, type[BaseModel]]]:
    """The parts that a field's example shows: itself, the items of a list, the values of a mapping."""
    data = {name: example}
    if isinstance(example, dict):
        found = part_at(part, (name,), data)
        if found is not None:
            kind = " (canary)" if name == "rollout" else " (a pool of the stack)" if "pool" in example else ""
            yield kind, found
        for key in example:
            found = part_at(part, (name, key), data)
            if found is not None and part_at(part, (name,), data) is None:
                yield ".<name>", found
    elif isinstance(example, list) and example and isinstance(example[0], dict):
        found = part_at(part, (name, 0), data)
        if found is not None:
            yield "[]", found
        for key in example[0]:
            inner = part_at(part, (name, 0, key), data)
            if found is None and inner is not None:
                yield "[].<axis>", inner


def first_line(part: type[BaseModel]) -> str:
    return (part.__doc__ or "").strip().partition("\n\n")[0].replace("\n", " ")


def row(name: str, field: FieldInfo) -> str:
    if field.is_required():
        default = "required"
    elif isinstance(field.default, BaseModel):
        default = "below"
    elif field.default in (None, (), {}):
        default = ""
    else:
        default = f"`{shown(field.default if not isinstance(field.default, tuple) else list(field.default))}`"
    example = f"`{shown(field.examples[0])}`" if field.examples else ""
    cells = (f"`{name}`", default, field.description or "", example)
    return "| " + " | ".join(map(_cell, cells)) + " |"


def _cell(text: str) -> str:
    """A table's cell; outside code, GitHub would take <name> for a tag."""
    text = text.replace("|", "\\|")
    return text if "`" in text else text.replace("<", "&lt;")


def main() -> int:
    stale = []
    for name, (title, root, where) in PAGES.items():
        text, file = page(title, root, where), FOLDER / name
        if file.is_file() and file.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            print(f"wrote {file}")
    if stale and "--check" in sys.argv:
        print(f"stale: {', '.join(stale)}; write them with `python tools/reference.py`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
