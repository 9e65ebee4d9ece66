"""What goes in and what comes out of the process that runs a program."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class Job(TypedDict):
    """One program to run. Paths are absolute."""

    program: str  # the folder or the file that Pulumi.yaml's `main` names
    root: str  # the folder of Pulumi.yaml
    project: str
    stack: str
    organization: str
    config: dict[str, str]  # "namespace:key" to text, as the engine passes it
    secret_keys: list[str]
    fingerprint_key: str  # hexadecimal; secrets are compared through it, never shown
    moved: NotRequired[list[list[str]]]  # [[old folder, new folder]]: where an editable install is looked for instead


class Failure(TypedDict):
    """Why there is no answer: `kind` is duplicate, raised, refused (pulumi.RunError), no-pulumi or no-program."""

    kind: str
    message: str
    traceback: NotRequired[str]


class Answer(TypedDict):
    """Exactly one of `failure` and (`resources`, `outputs`) is there; the messages always are."""

    messages: list[dict[str, Any]]
    failure: NotRequired[Failure]
    resources: NotRequired[list[dict[str, Any]]]
    outputs: NotRequired[dict[str, Any]]
