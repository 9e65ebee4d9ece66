"""`slipform-runtime build`."""

import argparse
import signal
import sys
from pathlib import Path
from textwrap import fill
from types import FrameType
from typing import NoReturn

from slipform_runtime.build.errors import EXIT_CODES, Missing
from slipform_runtime.logs import Level, log

DESCRIPTION = (
    "Turn a trained model into the artefact that a manifest asks for, prove that it still gives the same answers and "
    "what it gains, and publish it with its report."
)
EPILOG = f"""{fill(f"exit codes: {EXIT_CODES}", 100)}

example: slipform-runtime build --manifest build.json --output models --reports reports"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--manifest", type=Path, required=True, metavar="FILE", help="build.json")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="a model repository, in place of the manifest's output.uri"
    )
    parser.add_argument(
        "--reports", type=Path, metavar="DIR", help="write the reports here too, of a build that misses a gate as well"
    )
    parser.add_argument("--force", action="store_true", help="build even what was built with the same key before")
    parser.add_argument(
        "--trust-pickle",
        action="store_true",
        help="read a model file that can run any code while it is read, in a process without network where possible",
    )
    parser.add_argument("--json", action="store_true", help="print the report on standard output; logs go to the other")


def command(arguments: argparse.Namespace) -> int:
    """Run it; the exit code."""
    try:
        from slipform_runtime.build.manifest import read_manifest
        from slipform_runtime.build.pipeline import Options, build
        from slipform_runtime.build.progress import Progress
        from slipform_runtime.build.report import encoded
    except ModuleNotFoundError as error:
        sys.stderr.write(f"slipform-runtime build needs {error.name}; install slipform-runtime[build]\n")
        return Missing.exit_code
    if arguments.json:
        log.stream = sys.stderr
    elif sys.stderr.isatty():
        log.level = max(log.level, Level.WARNING)  # people see the steps
    options = Options(
        output=arguments.output,
        reports=arguments.reports,
        trust_pickle=arguments.trust_pickle,
        force=arguments.force,
    )
    signal.signal(signal.SIGTERM, _stopped)
    try:
        outcome = build(read_manifest(arguments.manifest), options, Progress())
    except KeyboardInterrupt:
        sys.stderr.write("slipform-runtime build: interrupted; nothing was published\n")
        return 128 + signal.SIGINT
    if arguments.json:
        sys.stdout.write(encoded(outcome.report).decode())
    elif sys.stderr.isatty():
        sys.stderr.write(f"{'built' if outcome.built else 'already there:'} {outcome.where}, see report.md in it\n")
    else:
        log.info("build_finished", where=outcome.where, built=outcome.built, key=outcome.report.key)
    return 0


def _stopped(number: int, _frame: FrameType | None) -> NoReturn:
    """As an exception, so that the folder of unfinished work is removed."""
    sys.stderr.write("slipform-runtime build: stopped; nothing was published\n")
    raise SystemExit(128 + number)
