"""`slipform-runtime serve`."""

import argparse
import asyncio
import os
import signal
import sys
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slipform_runtime.server import Options

EXIT_OK, EXIT_BAD_INPUT = 0, 2
DESCRIPTION = (
    "Serve a model repository in Triton's layout: MODEL/VERSION/model.onnx, and MODEL/config.pbtxt where a model needs "
    "one. REST, gRPC, plain JSON at /predict, a page at /docs."
)
EPILOG = """signals: SIGTERM and SIGINT end it: not ready at once, then the drain of the config file;
  SIGHUP looks at the repository at once, with --model-control-mode poll
exit codes: 0 ended as asked; 2 bad input, or a port that is taken

examples:
  slipform-runtime serve --model-repository models
  slipform-runtime serve --model-repository models --http-port 0 --grpc-port 0 --metrics-port 0
  slipform-runtime serve --model-repository models --model-control-mode explicit --load-model wine"""

_SHORTEST_TOKEN = 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options: Triton's names and defaults where it has them."""
    parser.add_argument("--model-repository", type=Path, required=True, metavar="DIR", help="the folder of the models")
    parser.add_argument(
        "--http-address",
        default="0.0.0.0",  # noqa: S104 - a server in a container
        metavar="ADDRESS",
        help="of all ports; default: %(default)s; IPv6: ::",
    )
    for name, default in (("http", 8000), ("grpc", 8001), ("metrics", 8002)):
        parser.add_argument(
            f"--{name}-port", type=_port, default=default, metavar="N", help="default: %(default)s; 0: a free one"
        )
    parser.add_argument(
        "--model-control-mode",
        choices=("none", "poll", "explicit"),
        default="none",
        help="none: load all at the start; poll: follow the folder; explicit: load what clients ask for; default: none",
    )
    parser.add_argument(
        "--repository-poll-secs", type=_seconds, default=15.0, metavar="S", help="with poll; default: %(default)g"
    )
    parser.add_argument(
        "--load-model", action="append", default=[], metavar="NAME", help="with explicit: load at the start; * for all"
    )
    parser.add_argument(
        "--management-port", type=_port, metavar="N", help="load, unload and log level move here; closed by default"
    )
    parser.add_argument("--management-token-file", type=Path, metavar="FILE", help="what its clients must know")
    parser.add_argument("--config", type=Path, metavar="FILE", help="JSON: drain, cache, labels, traces, ...")


def command(arguments: argparse.Namespace) -> int:
    """Run it; the exit code."""
    import uvloop

    from slipform_runtime.handler import HandlerError
    from slipform_runtime.server import ListenError, Server
    from slipform_runtime.settings import SettingsError

    async def serve(options: "Options") -> bool:
        server = Server(options)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, server.stop)
        loop.add_signal_handler(signal.SIGHUP, server.look)
        return await server.run()

    try:
        options = _options(arguments)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            busy = runner.run(serve(options))
    except (_BadInputError, ListenError) as error:
        return _bad_input(str(error))
    except SettingsError as error:
        return _bad_input(f"--config: {error}")
    except HandlerError as error:
        return _bad_input(f"--config: handler {error}")
    except OSError as error:
        return _bad_input(f"--model-repository: '{arguments.model_repository}': {error.strerror or error}")
    if busy:
        # The interpreter would wait for the threads that still load, and take the models from under those that execute.
        sys.stdout.flush()
        os._exit(EXIT_OK)
    return EXIT_OK


class _BadInputError(Exception):
    """A message for whoever gave the arguments."""


def _options(arguments: argparse.Namespace) -> "Options":
    """The server's options; raises _BadInputError or SettingsError."""
    from slipform_runtime.server import Options
    from slipform_runtime.settings import read_settings

    if not arguments.model_repository.is_dir():
        raise _BadInputError(f"--model-repository: '{arguments.model_repository}' is not a folder")
    if arguments.load_model and arguments.model_control_mode != "explicit":
        raise _BadInputError("--load-model needs --model-control-mode explicit")
    if (arguments.management_port is None) != (arguments.management_token_file is None):
        raise _BadInputError("--management-port and --management-token-file go together")
    return Options(
        model_repository=arguments.model_repository,
        http_address=arguments.http_address,
        http_port=arguments.http_port,
        grpc_port=arguments.grpc_port,
        metrics_port=arguments.metrics_port,
        management_port=arguments.management_port,
        management_token=_token(arguments.management_token_file),
        model_control_mode=arguments.model_control_mode,
        repository_poll_seconds=arguments.repository_poll_secs,
        load_models=tuple(arguments.load_model),
        settings=read_settings(arguments.config),
    )


def _token(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        token = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise _BadInputError(f"--management-token-file: '{path}': {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise _BadInputError(f"--management-token-file: '{path}' is not text") from error
    if len(token) < _SHORTEST_TOKEN:
        raise _BadInputError(f"--management-token-file: the token needs {_SHORTEST_TOKEN} characters or more")
    return token


def _port(text: str) -> int:
    if not text.isdigit() or not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"'{text}' is no port: a number from 0 to 65535 is")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < inf:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds over 0")
    return seconds


def _bad_input(message: str) -> int:
    sys.stderr.write(f"slipform-runtime serve: {message}\n")
    return EXIT_BAD_INPUT
