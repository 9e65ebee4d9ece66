"""A stack's config, as the engine hands it to a program: every value a text, structures as JSON, secrets apart.

No passphrase is asked for and nothing is decrypted: an encrypted value becomes a placeholder, which changes when the
ciphertext does, so that a changed secret is seen as one. The rules are the engine's:
https://github.com/pulumi/pulumi/tree/master/sdk/go/common/resource/config and pkg/workspace/config.go.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from . import yaml12
from .errors import ProjectError
from .project import Project


@dataclass(frozen=True)
class StackConfig:
    """`values` by "namespace:key"; `secret_keys` are those that hold a secret anywhere; `remarks` are for the user."""

    values: Mapping[str, str]
    secret_keys: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def read(project: Project, stack: str) -> StackConfig:
    """Raises ProjectError where the stack has no file though others have one, or a file cannot be used."""
    file = project.stack_file(stack)
    document: Mapping[str, Any] = {}
    if file.is_file():
        document = yaml12.load(file)
    elif others := project.stacks():
        raise ProjectError(f"there is no stack {stack!r}: {file} does not exist; the stacks here: {', '.join(others)}")
    config = document.get("config") or {}
    if not isinstance(config, Mapping):
        raise ProjectError(f"{file}: `config` must be a mapping")
    merged = _with_project_config(project, file, {_key(project.name, key): value for key, value in config.items()})
    remarks: tuple[str, ...] = ()
    if document.get("environment"):
        remarks = (
            f"{file.name} imports Pulumi ESC environments, which a plan does not open: their values are missing",
        )
    return StackConfig(
        values={key: _text(value) for key, value in sorted(merged.items())},
        secret_keys=tuple(sorted(key for key, value in merged.items() if _holds_secret(value))),
        remarks=remarks,
    )


def _key(project: str, key: Any) -> str:
    return str(key) if ":" in str(key) else f"{project}:{key}"


def _with_project_config(project: Project, file: Path, values: dict[str, Any]) -> dict[str, Any]:
    """Pulumi.yaml's `config` block: defaults for keys that the stack does not set, and keys that it must set."""
    missing = []
    for raw_key, declared in project.config.items():
        key = _key(project.name, raw_key)
        if key in values:
            continue
        if not isinstance(declared, Mapping):
            values[key] = declared
        elif declared.get("default") is not None:
            values[key] = declared["default"]
        elif declared.get("value") is not None:
            values[key] = declared["value"]
        elif key.startswith(f"{project.name}:"):
            missing.append(str(raw_key))
    if missing:
        raise ProjectError(f"{file}: {project.file.name} asks for config that this stack lacks: {', '.join(missing)}")
    return values


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if _is_secure(value):
        return _placeholder(value["secure"])
    if isinstance(value, float) and 1e-6 <= abs(value) < 1e21:
        return format(Decimal(repr(value)).normalize(), "f")  # as Go writes it: never 1e-05, never 1000.0
    return _json(value)


def _json(value: Any) -> str:
    """Go's json.Marshal: keys sorted, no spaces, and the three characters that it escapes for HTML's sake."""
    text = json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")


def _plain(value: Any) -> Any:
    if _is_secure(value):
        return _placeholder(value["secure"])
    if isinstance(value, Mapping):
        return {_name(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _name(key: Any) -> str:
    """A mapping's key that is no text, as Go prints it."""
    return str(key).lower() if isinstance(key, bool) else str(key)


def _is_secure(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {"secure"} and isinstance(value["secure"], str)


def _holds_secret(value: Any) -> bool:
    if isinstance(value, Mapping):
        return _is_secure(value) or any(_holds_secret(item) for item in value.values())
    return isinstance(value, list) and any(_holds_secret(item) for item in value)


def _placeholder(ciphertext: str) -> str:
    """Reads as a secret in every view, also where a program forgets to treat it as one."""
    return f"[secret:{hashlib.sha256(ciphertext.encode()).hexdigest()[:16]}]"
