"""Where in the program a resource was made, without describing the whole stack.

Pulumi's SDK describes every frame of the stack for every resource, with its line's text and its path as a URI: a tenth
of a plan's time. A plan shows one place only, the nearest outside Pulumi's packages.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

PULUMI_PACKAGE = re.compile(r"[/\\](site|dist)-packages[/\\]pulumi(_\w+)?[/\\]")
_CONSTRUCTORS = 3  # Resource's, CustomResource's or ComponentResource's, and that of what the program names


def shorten_traces() -> None:
    """Puts the nearest place where the SDK would put the stack. An SDK that has no such function does as it does."""
    from pulumi.runtime import resource

    if hasattr(resource, "_get_stack_trace"):
        resource._get_stack_trace = _nearest


def _nearest() -> Any:
    from pulumi.runtime.proto import source_pb2

    frame: Any = sys._getframe(1)
    constructors = 0
    while frame is not None:
        if constructors == _CONSTRUCTORS and _is_programs(frame.f_code.co_filename):
            place = source_pb2.SourcePosition(uri=_uri(frame.f_code.co_filename), line=frame.f_lineno)
            return source_pb2.StackTrace(frames=[source_pb2.StackFrame(pc=place)])
        if constructors < _CONSTRUCTORS:
            constructors += frame.f_code.co_name == "__init__"
        frame = frame.f_back
    return source_pb2.StackTrace()


@cache
def _is_programs(filename: str) -> bool:
    return not filename.startswith("<") and PULUMI_PACKAGE.search(filename) is None


@cache
def _uri(filename: str) -> str:
    return Path(filename).absolute().as_uri()
