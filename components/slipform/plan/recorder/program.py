"""Runs one program under the recording monitor, the way Pulumi's own language host runs it under the engine."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import runpy
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .editable import move_imports

if TYPE_CHECKING:
    from .job import Answer, Failure, Job


def run(job: Job) -> Answer:
    """Never raises for what the program does: a failure is an answer."""
    move_imports([(old, new) for old, new in job.get("moved", [])])
    try:
        import pulumi.runtime  # noqa: F401  before anything of the program, to tell its absence from the program's own
    except ImportError as error:
        return {"messages": [], "failure": {"kind": "no-pulumi", "message": f"{sys.executable}: {error}"}}

    from .engine import RecordingEngine
    from .monitor import DuplicateUrnError, RecordingMonitor
    from .places import shorten_traces
    from .values import Decoder

    shorten_traces()
    engine = RecordingEngine()
    decoder = Decoder(bytes.fromhex(job["fingerprint_key"]))
    monitor = RecordingMonitor(job["project"], job["stack"], job["root"], decoder, engine.warn)
    try:
        _execute(job, monitor, engine)
    except DuplicateUrnError as error:
        return {"messages": engine.messages, "failure": {"kind": "duplicate", "message": str(error)}}
    except BaseException as error:
        failure = _failure(error, job["program"])
        if failure is not None:
            return {"messages": engine.messages, "failure": failure}
    return {"messages": engine.messages, "resources": monitor.records, "outputs": monitor.stack_outputs}


def _execute(job: Job, monitor: Any, engine: Any) -> None:
    import pulumi.runtime

    pulumi.runtime.set_all_config(job["config"], job["secret_keys"])
    pulumi.runtime.configure(
        pulumi.runtime.Settings(
            project=job["project"],
            stack=job["stack"],
            organization=job["organization"],
            root_directory=job["root"],
            monitor=monitor,
            engine=engine,
            dry_run=True,
        )
    )
    program = job["program"]
    folder = Path(program) if Path(program).is_dir() else Path(program).parent
    os.chdir(folder)
    sys.argv = [program]
    sys.path[0] = str(folder)
    # As the language host does: a program that fails leaves futures unobserved, and asyncio would talk about them.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    loop.set_task_factory(_remembering)
    asyncio.set_event_loop(loop)

    def main() -> None:
        runpy.run_path(program, run_name="__main__")

    try:
        loop.run_until_complete(pulumi.runtime.run_in_stack(main))
    finally:
        with contextlib.suppress(Exception):
            loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


_RAISED_AT = "_slipform_raised_at"


def _remembering(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
    """A task whose exception keeps the frames that it was raised in.

    asyncio gives them to the first who awaits a task; Pulumi awaits an output's more than once, and what an `apply`
    raised would come without the user's line.
    """

    async def remembered() -> Any:
        try:
            return await work
        except Exception as error:
            error.__dict__.setdefault(_RAISED_AT, error.__traceback__)
            raise

    return asyncio.Task(remembered(), loop=loop, **options)


def _failure(error: BaseException, program: str) -> Failure | None:
    import pulumi

    if isinstance(error, SystemExit):
        if error.code in (None, 0):
            return None
        text = error.code if isinstance(error.code, str) else f"the program ended itself with exit code {error.code}"
        return {"kind": "refused", "message": text}
    if isinstance(error, pulumi.RunError):
        return {"kind": "refused", "message": str(error)}
    if isinstance(error, ImportError) and f"can't find '__main__' module in '{program}'" in str(error):
        return {"kind": "no-program", "message": f"{program} has no __main__.py"}
    return {"kind": "raised", "message": _last_line(error), "traceback": users_traceback(error)}


def _last_line(error: BaseException) -> str:
    return traceback.format_exception_only(error)[-1].strip()


def users_traceback(error: BaseException) -> str:
    """The traceback without the frames of the machinery that ran the program: ours, runpy's, Pulumi's runtime's."""
    error = error.with_traceback(getattr(error, _RAISED_AT, error.__traceback__))
    formatted = traceback.TracebackException.from_exception(error)
    seen: set[int] = set()
    todo: list[traceback.TracebackException | None] = [formatted]
    while todo:
        each = todo.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        kept = [frame for frame in each.stack if not _is_machinery(frame.filename)]
        says_where_itself = hasattr(each, "msg")  # a SyntaxError's place is in its own words
        each.stack = traceback.StackSummary.from_list(kept if kept or says_where_itself else each.stack)
        todo += [each.__cause__, each.__context__]
    return "".join(formatted.format())


_OURS = Path(__file__).parent


def _is_machinery(filename: str) -> bool:
    path = Path(filename)
    in_pulumi = path.parts[-2:-1] == ("pulumi",) and path.name in ("output.py", "resource.py", "_types.py")
    return (
        filename.startswith("<frozen ")
        or path.parent == _OURS
        or path.name == "runpy.py"
        or path.parts[-2:-1] == ("asyncio",)
        or path.parts[-3:-1] in (("pulumi", "runtime"), ("concurrent", "futures"))
        or in_pulumi
    )
