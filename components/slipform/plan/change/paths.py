"""Pulumi's property paths: `spec.ports[*].port`, `data["a.b"]`."""

from __future__ import annotations


def parse(path: str) -> tuple[str, ...]:
    """A path as steps: map keys as they are, a list's items in brackets, as `fields` writes them."""
    steps: list[str] = []
    rest = path
    while rest:
        if rest.startswith('["'):
            key, _, rest = rest[2:].partition('"]')
            steps.append(key)
        elif rest.startswith("["):
            key, _, rest = rest[1:].partition("]")
            steps.append(f"[{key}]")
        else:
            end = min((rest.find(mark) for mark in ".[" if mark in rest[1:]), default=-1)
            end = len(rest) if end == -1 else end
            steps.append(rest[:end])
            rest = rest[end:]
        rest = rest.removeprefix(".")
    return tuple(steps)
