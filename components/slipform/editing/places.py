"""One value of a YAML text replaced, added or removed by where it stands; every other character stays as it is.

Values come and go as YAML texts. What an edit made is checked by whoever writes it (``files.change``): an anchor, or a
layout that is foreign to this module, is refused there rather than half understood here.
"""

from __future__ import annotations

from typing import Any

import yaml

from ..spec.findings import FieldPath


def put(text: str, path: FieldPath, value: str, *, after: str | None = None) -> str:
    """The text with ``value`` (YAML on one line, or in flow style) at ``path``, whose parent is there.

    A key that is new comes behind the key ``after``, or as the last. Raises KeyError where there is no such parent.
    """
    parent = _node(_root(text), path[:-1])
    if parent is None:
        raise KeyError(path[:-1])
    node = _child(parent, path[-1])
    if isinstance(parent, yaml.MappingNode) and isinstance(node, yaml.CollectionNode) and not node.flow_style:
        key = next(key for key, _ in parent.value if key.value == path[-1])
        colon = text.index(":", key.end_mark.index) + 1  # the value goes there: a list may have no indentation
        return f"{text[:colon]} {value}{text[colon : _line_end(text, colon)]}{text[_end(node) :]}"
    if node is not None:
        gap = " " if node.start_mark.index == node.end_mark.index else ""  # `key:` with nothing behind it
        return f"{text[: node.start_mark.index]}{gap}{value}{text[_end(node) :]}"
    if not isinstance(parent, yaml.MappingNode):
        raise KeyError(path)
    entry = f"{path[-1]}: {value}"
    start, end = parent.start_mark.index, parent.end_mark.index
    if not parent.value:
        return f"{text[:start]}{{{entry}}}{text[end:]}"
    before = next((pair for pair in parent.value if pair[0].value == after), parent.value[-1])
    end = _end(before[1])
    if parent.flow_style:
        return f"{text[:end]}, {entry}{text[end:]}"
    end = _line_end(text, end)
    column = int(parent.value[0][0].start_mark.column)
    return text[:end] + _newline(text) + " " * column + entry + text[end:]


def remove(text: str, path: FieldPath) -> str:
    """The text without the key at ``path``; as it is where there is none. A mapping's last key leaves ``{}``."""
    parent = _node(_root(text), path[:-1])
    if not isinstance(parent, yaml.MappingNode):
        return text
    keys = [key.value for key, _ in parent.value]
    if path[-1] not in keys:
        return text
    if len(keys) == 1:
        return text[: parent.start_mark.index] + "{}" + text[_end(parent) :]
    index = keys.index(path[-1])
    key, value = parent.value[index]
    if not parent.flow_style:
        start = text.rfind("\n", 0, key.start_mark.index) + 1
        end = _line_end(text, _end(value))
        return text[:start] + text[end:].removeprefix("\r").removeprefix("\n")
    if index:
        return text[: _end(parent.value[index - 1][1])] + text[_end(value) :]
    return text[: key.start_mark.index] + text[parent.value[1][0].start_mark.index :]


def written(text: str, path: FieldPath) -> str | None:
    """How the value at ``path`` is written, in a form that can be put anywhere; None where there is none."""
    node = _node(_root(text), path)
    if node is None:
        return None
    if isinstance(node, yaml.CollectionNode) and not node.flow_style:
        return _flow(node)
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        return _flow(node)
    return text[node.start_mark.index : _end(node)]


def _root(text: str) -> yaml.Node | None:
    loader = yaml.SafeLoader(text)  # Python's own, since libyaml counts bytes where a text has a byte order mark
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def _node(root: yaml.Node | None, path: FieldPath) -> Any:
    node = root
    for part in path:
        node = _child(node, part) if node is not None else None
    return node


def _child(node: yaml.Node, part: str | int) -> Any:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == part), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part]
    return None


def _end(node: Any) -> int:
    """Where a value's own text ends; a block's mark is behind the blank lines and comments that follow it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        text = str(node.end_mark.buffer)
        return len(text[: node.end_mark.index].rstrip("\r\n "))
    return int(node.end_mark.index)


def _line_end(text: str, index: int) -> int:
    end = text.find("\n", index)
    if end < 0:
        return len(text)
    return end - 1 if text[end - 1] == "\r" else end


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _flow(node: yaml.Node) -> str:
    dumped = yaml.serialize(_in_flow_style(node), Dumper=yaml.SafeDumper, width=10**6, allow_unicode=True)
    return str(dumped).removesuffix("\n").removesuffix("\n...")


def _in_flow_style(node: Any) -> yaml.Node:
    if isinstance(node, yaml.MappingNode):
        pairs = [(_in_flow_style(key), _in_flow_style(value)) for key, value in node.value]
        return yaml.MappingNode(node.tag, pairs, flow_style=True)
    if isinstance(node, yaml.SequenceNode):
        return yaml.SequenceNode(node.tag, [_in_flow_style(item) for item in node.value], flow_style=True)
    return yaml.ScalarNode(node.tag, node.value, style='"' if node.style in ("|", ">") else node.style)
