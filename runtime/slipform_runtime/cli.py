"""The command `slipform-runtime`."""

import argparse
import shutil
import sys
from importlib import import_module
from textwrap import fill

from slipform_runtime import __version__
from slipform_runtime.failures import CommandError

_COMMANDS = (
    ("serve", "serve a model repository", "slipform_runtime.serve"),
    ("fetch", "fill a model repository from a manifest", "slipform_runtime.fetch.command"),
    ("build", "turn a trained model into the artefact that serves it", "slipform_runtime.build.command"),
    ("bench", "put load on a running server, and judge it by objectives", "slipform_runtime.bench.command"),
)
"""Each module has a DESCRIPTION, an EPILOG, `add_arguments(parser)`, and `command(arguments)`, which gives the exit
code or raises CommandError."""


def run() -> None:
    """The console script."""
    sys.exit(main())


def main(arguments: list[str] | None = None) -> int:
    """Run the command; its exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.command(options)
    except CommandError as error:
        sys.stderr.write(f"slipform-runtime {options.command_name}: {error}\n")
        return error.exit_code
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="slipform-runtime",
        description="A batched inference server that speaks the Open Inference Protocol v2.",
        epilog="Example: slipform-runtime serve --model-repository models --http-port 0",
    )
    parser.add_argument("--version", action="version", version=f"slipform-runtime {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    width = shutil.get_terminal_size().columns - 2
    for name, summary, module in _COMMANDS:
        has = import_module(module)
        command = commands.add_parser(
            name,
            help=summary,
            description=fill(has.DESCRIPTION, width),
            epilog=has.EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        has.add_arguments(command)
        command.set_defaults(command=has.command, command_name=name)
    return parser


if __name__ == "__main__":
    run()
