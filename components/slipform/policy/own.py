"""Rules of a project's own: functions in its Python files, read when a spec is reviewed."""

from __future__ import annotations

import importlib.util
import traceback
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from types import FunctionType

from ..spec.findings import Finding, SlipformError
from ..spec.modelspec import ModelSpec
from ..spec.stack import StackConfig

Check = FunctionType
"""``(spec: ModelSpec, stack: StackConfig) -> Iterable[Finding]``"""


def check(function: Check) -> Check:
    """Mark a function of a file that ``slipform:policy.checks`` names as a rule; its name is the rule's."""
    function.__slipform_check__ = True  # type: ignore[attr-defined]
    return function


def checks(files: Iterable[str], root: Path) -> dict[str, Check]:
    """The marked functions of some files by name. Raises SlipformError for a file that can't be read or run."""
    found: dict[str, Check] = {}
    for name in files:
        file = root / name
        if not file.is_file():
            raise SlipformError(f"slipform:policy.checks names {name}, which is not there")
        for rule, function in _checks_in(file, file.stat().st_mtime_ns).items():
            if rule in found:
                raise SlipformError(f"{name}: a check named {rule} is in another file as well: rename one")
            found[rule] = function
    return found


@cache
def _checks_in(file: Path, _written: int) -> dict[str, Check]:
    """Once for all specs, and anew when the file was written."""
    spec = importlib.util.spec_from_file_location(f"slipform_policy_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise SlipformError(f"slipform:policy.checks names {file.name}, which is no Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as problem:
        raise SlipformError(_said(problem, file)) from problem
    marked = {name: each for name, each in vars(module).items() if getattr(each, "__slipform_check__", False)}
    if not marked:
        raise SlipformError(f"{file}: no function is marked with @check (from slipform.policy import check)")
    return marked


def findings(name: str, function: Check, spec: ModelSpec, stack: StackConfig) -> Iterator[Finding]:
    """What one check says of a spec. Raises SlipformError with the line where the check itself fails."""
    file = Path(function.__code__.co_filename)
    try:
        made = list(function(spec, stack) or ())
    except Exception as problem:
        raise SlipformError(f"{_said(problem, file)}, in the check {name} of {spec.name}") from problem
    for each in made:
        if not isinstance(each, Finding):
            raise SlipformError(
                f"{file}: the check {name} yielded {each!r}: yield slipform.policy.Finding(message, path=(…))"
            )
        yield each


def _said(problem: Exception, file: Path) -> str:
    """What was raised, with the last line of the user's own file that was reached."""
    lines = [frame.lineno for frame in traceback.extract_tb(problem.__traceback__) if Path(frame.filename) == file]
    if isinstance(problem, SyntaxError):
        lines = [problem.lineno]
    where = f"{file}:{lines[-1]}" if lines else str(file)
    return f"{where}: {type(problem).__name__}: {problem}"
