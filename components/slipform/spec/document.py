"""YAML with places: the data of a file, and the line and column of each of its keys and values.

Only plain data is read, by the rules of YAML 1.2's core schema (``on`` and ``1:30`` are texts, ``0x10`` is 16), as
Pulumi and Kubernetes read it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import yaml

from .findings import FieldPath, Finding, InvalidSpec, Location

MAX_BYTES = 1 << 20
MAX_NODES = 50_000
MAX_DEPTH = 50

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]
    """Without YAML 1.1's guesses at what a plain text may be: `_Reader` makes those of 1.2."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}


@dataclass(frozen=True)
class Document:
    """A file's data and where it stands."""

    file: Path
    data: Any
    keys: dict[FieldPath, Location] = field(default_factory=dict)
    values: dict[FieldPath, Location] = field(default_factory=dict)

    def location(self, path: FieldPath, *, key: bool = False) -> Location:
        """Where the value (or the key) at ``path`` stands; of what is absent, the nearest part around it."""
        places = self.keys if key else self.values
        for end in range(len(path), -1, -1):
            if end < len(path):
                places = {**self.values, **self.keys} if end else self.values
            if found := places.get(path[:end]):
                return found
        return Location(self.file)


def read(file: Path, shown_as: Path | None = None) -> Document:
    """Read one YAML document.

    Raises InvalidSpec with one finding when the file can't be read, isn't UTF-8 or YAML, repeats a key, is over
    1 MiB, or is built to explode.
    """
    shown = shown_as or file
    if file.is_dir():
        raise _refusal(shown, "a folder, and not a file", "rename it, or move it elsewhere")
    if file.exists() and not file.is_file():
        raise _refusal(shown, "not a regular file", "a spec is a file of its own")  # a pipe would be waited for
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as problem:
        raise _refusal(shown, f"can't be read: {problem.strerror}") from None
    if len(raw) > MAX_BYTES:
        raise _refusal(shown, "larger than 1 MiB", "a model spec has a few kilobytes; is this the right file?")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = raw[: problem.start].count(b"\n") + 1
        raise _refusal(shown, "not UTF-8", "save the file as UTF-8", line, 1) from None
    return parse(text, shown)


def parse(text: str, shown: Path) -> Document:
    """Read one YAML document from a text, which findings say is in the file ``shown``. Raises InvalidSpec."""
    if tab := re.search(r"^ *(\t)", text, re.MULTILINE):
        line = text[: tab.start(1)].count("\n") + 1
        column = tab.start(1) - tab.start() + 1
        raise _refusal(shown, "a tab in the indentation", "YAML is indented by spaces", line, column)
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as problem:
        raise _not_yaml(shown, problem) from None
    except (yaml.YAMLError, RecursionError) as problem:
        first = str(problem).splitlines()[0] if str(problem) else "nested too deeply"
        raise _refusal(shown, f"not YAML: {first}") from None
    return _Reader(shown).document(node)


def _not_yaml(shown: Path, problem: yaml.MarkedYAMLError) -> InvalidSpec:
    """At the place where the mistake was made, which the parser often notices lines later."""
    context, said = problem.context or "", problem.problem or ""
    begun = any(words in context for words in ("simple key", "quoted scalar"))
    mark = (problem.context_mark if begun else problem.problem_mark) or problem.problem_mark or problem.context_mark
    remedy = next((remedy for words, remedy in _YAML_REMEDIES.items() if words in f"{context}: {said}"), None)
    message = f"not YAML: {context}: {said}" if context else f"not YAML: {said}"
    if "flow" in context and problem.context_mark and mark and problem.context_mark.line != mark.line:
        remedy = f"{remedy}; it begins in line {problem.context_mark.line + 1}"
    return _refusal(shown, message, remedy, mark.line + 1 if mark else 0, mark.column + 1 if mark else 0)


_YAML_REMEDIES = {
    "mapping values are not allowed": "indent it like the fields beside it; a text that holds ': ' needs quotes",
    "simple key": "write a blank after the colon, as in name: value",
    "quoted scalar": "close the quotes that begin here",
    "flow mapping": "close the bracket, or write the comma that is missing",
    "flow sequence": "close the bracket, or write the comma that is missing",
    "block mapping": "indent it like the fields beside it",
    "block collection": "indent it like the items beside it",
    "single document": "one spec a file: move what follows --- into its own",
    "undefined alias": "write the value out, or name it before with &",
    "cannot start any token": "put quotes around a text that begins with @, ` or %",
}
"""What to do, by words of the parser's message."""


def _refusal(shown: Path, message: str, remedy: str | None = None, line: int = 0, column: int = 0) -> InvalidSpec:
    return InvalidSpec([Finding(message, remedy=remedy, location=Location(shown, line, column))])


class _Reader:
    """Turns YAML nodes into data, noting places and counting nodes, so that aliases can't multiply without end."""

    def __init__(self, file: Path) -> None:
        self.result = Document(file, None)
        self.findings: list[Finding] = []
        self.nodes = 0

    def document(self, node: yaml.Node | None) -> Document:
        data = None if node is None else self._value(node, ())
        if self.findings:
            raise InvalidSpec(self.findings)
        return Document(self.result.file, data, self.result.keys, self.result.values)

    def _value(self, node: yaml.Node, path: FieldPath) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self._stop("expands to more than 50,000 values", "use fewer aliases", node)
        if len(path) > MAX_DEPTH:
            raise self._stop(
                "nested more than 50 levels deep",
                "check the indentation, and aliases that hold themselves",
                node,
            )
        if node.tag not in _PLAIN_TAGS:
            raise self._stop(f"a tag, {node.tag}", "a spec holds plain data only", node)
        self.result.values[path] = self._place(node)
        if isinstance(node, yaml.MappingNode):
            return dict(self._pairs(node, path))
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node)

    def _pairs(self, node: yaml.MappingNode, path: FieldPath) -> Iterator[tuple[str, Any]]:
        first: dict[str, Location] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._stop("a key that is not a text", None, key_node)
            key = key_node.value
            if key == "<<" and not key_node.style:
                raise self._stop("a merge key", "YAML 1.2 has none: write the fields out, or use stacks", key_node)
            here = self._place(key_node)
            if key in first:
                self.findings.append(
                    Finding(
                        f"{key} is given twice",
                        path=(*path, key),
                        allowed="each key once",
                        remedy=f"remove one; the first is in line {first[key].line}",
                        location=here,
                    )
                )
                continue
            first[key] = self.result.keys[(*path, key)] = here
            yield key, self._value(value_node, (*path, key))

    def _scalar(self, node: Any) -> Any:
        text = str(node.value)
        if node.style in ("'", '"', "|", ">") or text[:1] not in _BEGINNINGS:
            return text
        for pattern, convert in _CORE_SCHEMA:
            if pattern.fullmatch(text):
                return convert(text)
        return text

    def _place(self, node: yaml.Node) -> Location:
        return Location(self.result.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def _stop(self, message: str, remedy: str | None, node: yaml.Node) -> InvalidSpec:
        return InvalidSpec([*self.findings, Finding(message, remedy=remedy, location=self._place(node))])


_PLAIN_TAGS = {
    f"tag:yaml.org,2002:{name}"
    for name in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp", "value", "merge")
}
_BEGINNINGS = frozenset(["", *"~nNtTfF+-.0123456789"])
"""What the first letter of a plain scalar must be, for it to be anything else than a text."""
_CORE_SCHEMA: tuple[tuple[re.Pattern[str], Any], ...] = tuple(
    (re.compile(pattern), convert)
    for pattern, convert in (
        (r"null|Null|NULL|~|", lambda text: None),
        (r"true|True|TRUE", lambda text: True),
        (r"false|False|FALSE", lambda text: False),
        (r"[-+]?[0-9]{1,300}", int),
        (r"0o[0-7]{1,300}", lambda text: int(text[2:], 8)),
        (r"0x[0-9a-fA-F]{1,300}", lambda text: int(text, 16)),
        (r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", float),
        (r"[-+]?\.(inf|Inf|INF)", lambda text: float(text.replace(".", ""))),
        (r"\.(nan|NaN|NAN)", lambda text: float("nan")),
    )
)
