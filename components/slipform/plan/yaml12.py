"""YAML as the Pulumi engine's own parser reads it: `on`, `yes` and `1:30` are texts, a date stays as it is written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

import yaml

from .errors import ProjectError

_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_OURS = {
    "tag:yaml.org,2002:bool": r"true|True|TRUE|false|False|FALSE",
    "tag:yaml.org,2002:int": r"[-+]?(0|[1-9][0-9_]*|0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+)",
    "tag:yaml.org,2002:float": r"[-+]?(\.[0-9]+|[0-9][0-9_]*\.[0-9_]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
    "tag:yaml.org,2002:timestamp": None,
}


class _Loader(_BASE):  # type: ignore[misc]
    """PyYAML's safe loader with the resolvers that differ from YAML 1.2 taken out or narrowed."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {
        first: [
            (tag, re.compile(rf"^(?:{_OURS[tag]})$") if tag in _OURS else pattern)
            for tag, pattern in resolvers
            if _OURS.get(tag, "") is not None
        ]
        for first, resolvers in _BASE.yaml_implicit_resolvers.items()
    }


def load(path: Path) -> dict[str, Any]:
    """A file that holds one mapping. Raises ProjectError with file and line for everything else."""
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506  a safe loader
    except OSError as error:
        raise ProjectError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ProjectError(f"{path} is not UTF-8: byte {error.start} is {error.object[error.start]:#04x}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise ProjectError(f"{place}: this is not YAML: {getattr(error, 'problem', None) or error}") from error
    except RecursionError as error:
        raise ProjectError(f"{path} is nested too deeply to be read") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ProjectError(f"{path} must hold a mapping, not {type(document).__name__}")
    return document
