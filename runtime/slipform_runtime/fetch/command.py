"""`slipform-runtime fetch`."""

import argparse
import signal
import sys
from pathlib import Path

DESCRIPTION = "Download and verify the models of a manifest. What is there already, whole, is not fetched again."
EPILOG = """exit codes: 0 done; 2 bad input; 3 could not fetch; 4 a digest differs

example:
  slipform-runtime fetch --manifest models.json --to models"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--manifest", type=Path, required=True, metavar="FILE", help="JSON: what to fetch, and digests")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="the model repository to fill")


def command(arguments: argparse.Namespace) -> int:
    """Run it; the exit code."""
    from slipform_runtime.fetch import fetch
    from slipform_runtime.logs import Level, log

    if sys.stderr.isatty():
        log.level = max(log.level, Level.WARNING)  # people see the bar
    try:
        fetch(arguments.manifest, arguments.to)
    except KeyboardInterrupt:
        sys.stderr.write("slipform-runtime fetch: interrupted; the same command goes on where it was\n")
        return 128 + signal.SIGINT
    return 0
