"""The command `slipform-runtime`."""

import argparse
import asyncio
import os
import signal
import sys
from math import inf
from pathlib import Path

from slipform_runtime import __version__

EXIT_OK, EXIT_BAD_INPUT = 0, 2
_SHORTEST_TOKEN = 16


def run() -> None:
    """The console script."""
    sys.exit(main())


def main(arguments: list[str] | None = None) -> int:
    """Run the command; its exit code."""
    options = _parser().parse_args(arguments)
    command: int = options.command(options)
    return command


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="slipform-runtime",
        description="A batched inference server that speaks the Open Inference Protocol v2.",
        epilog="Example: slipform-runtime serve --model-repository models --http-port 0",
    )
    parser.add_argument("--version", action="version", version=f"slipform-runtime {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_serve(commands)
    _add_fetch(commands)
    _add_build(commands)
    _add_bench(commands)
    return parser


def _add_serve(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    serve = commands.add_parser(
        "serve",
        help="serve a model repository",
        description="Serve a model repository in Triton's layout: MODEL/VERSION/model.onnx, MODEL/config.pbtxt.",
    )
    serve.add_argument("--model-repository", type=Path, required=True, metavar="DIR")
    serve.add_argument("--http-address", default="0.0.0.0", metavar="ADDRESS", help="default: %(default)s")  # noqa: S104
    serve.add_argument("--http-port", type=_port, default=8000, metavar="N", help="default: %(default)s; 0: a free one")
    serve.add_argument("--grpc-port", type=_port, default=8001, metavar="N", help="default: %(default)s; 0: a free one")
    serve.add_argument(
        "--metrics-port", type=_port, default=8002, metavar="N", help="default: %(default)s; 0: a free one"
    )
    serve.add_argument(
        "--model-control-mode",
        choices=("none", "poll", "explicit"),
        default="none",
        help="none: load all at the start; poll: follow the folder; explicit: load what clients ask for",
    )
    serve.add_argument(
        "--repository-poll-secs", type=_seconds, default=15.0, metavar="S", help="with poll; default: %(default)g"
    )
    serve.add_argument(
        "--load-model", action="append", default=[], metavar="NAME", help="with explicit: load at the start; * for all"
    )
    serve.add_argument(
        "--management-port", type=_port, metavar="N", help="load, unload and log level move here; closed by default"
    )
    serve.add_argument("--management-token-file", type=Path, metavar="FILE", help="what its clients must know")
    serve.add_argument("--config", type=Path, metavar="FILE", help="JSON: drain, cache, labels, traces, ...")
    serve.set_defaults(command=_serve)


def _add_fetch(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    fetch = commands.add_parser(
        "fetch",
        help="fill a model repository from a manifest",
        description="Download and verify the models of a manifest. "
        "Exit codes: 0 done, 2 bad input, 3 could not fetch, 4 a digest differs.",
    )
    fetch.add_argument("--manifest", type=Path, required=True, metavar="FILE")
    fetch.add_argument("--to", type=Path, required=True, metavar="DIR")
    fetch.set_defaults(command=_fetch)


def _add_build(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from slipform_runtime.build.command import DESCRIPTION, EPILOG, add_arguments, command

    build = commands.add_parser(
        "build",
        help="turn a trained model into the artefact that serves it",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(build)
    build.set_defaults(command=command)


def _add_bench(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from slipform_runtime.bench.command import DESCRIPTION, EPILOG, add_arguments, command

    bench = commands.add_parser(
        "bench",
        help="put load on a running server, and judge it by objectives",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(bench)
    bench.set_defaults(command=command)


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


def _serve(arguments: argparse.Namespace) -> int:
    import uvloop

    from slipform_runtime.handler import HandlerError
    from slipform_runtime.server import Options, Server
    from slipform_runtime.settings import SettingsError, read_settings

    if not arguments.model_repository.is_dir():
        return _bad_input(f"--model-repository: '{arguments.model_repository}' is not a folder")
    if arguments.load_model and arguments.model_control_mode != "explicit":
        return _bad_input("--load-model needs --model-control-mode explicit")
    if (arguments.management_port is None) != (arguments.management_token_file is None):
        return _bad_input("--management-port and --management-token-file go together")
    try:
        token = arguments.management_token_file.read_text().strip() if arguments.management_token_file else ""
    except OSError as error:
        return _bad_input(f"--management-token-file: {error.strerror}")
    if arguments.management_token_file and len(token) < _SHORTEST_TOKEN:
        return _bad_input(f"--management-token-file: the token needs {_SHORTEST_TOKEN} characters or more")
    try:
        settings = read_settings(arguments.config)
    except SettingsError as error:
        return _bad_input(f"--config: {error}")
    options = Options(
        model_repository=arguments.model_repository,
        http_address=arguments.http_address,
        http_port=arguments.http_port,
        grpc_port=arguments.grpc_port,
        metrics_port=arguments.metrics_port,
        management_port=arguments.management_port,
        management_token=token,
        model_control_mode=arguments.model_control_mode,
        repository_poll_seconds=arguments.repository_poll_secs,
        load_models=tuple(arguments.load_model),
        settings=settings,
    )

    async def serve() -> int:
        server = Server(options)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, server.stop)
        return await server.run()

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            abandoned = runner.run(serve())
    except SettingsError as error:
        return _bad_input(f"--config: {error}")
    except HandlerError as error:
        return _bad_input(f"--config: handler {error}")
    except OSError as error:  # a port that is taken
        return _bad_input(error.strerror or str(error))
    if abandoned:
        # The interpreter would take the models from under the threads that still execute them, and crash.
        sys.stdout.flush()
        os._exit(EXIT_OK)
    return EXIT_OK


def _fetch(arguments: argparse.Namespace) -> int:
    from slipform_runtime.fetch import FetchError, fetch
    from slipform_runtime.logs import Level, log

    if sys.stderr.isatty():
        log.level = max(log.level, Level.WARNING)  # people see the bar
    try:
        fetch(arguments.manifest, arguments.to)
    except FetchError as error:
        sys.stderr.write(f"slipform-runtime fetch: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("slipform-runtime fetch: interrupted; the same command goes on where it was\n")
        return 128 + signal.SIGINT
    return EXIT_OK


def _bad_input(message: str) -> int:
    sys.stderr.write(f"slipform-runtime: {message}\n")
    return EXIT_BAD_INPUT


if __name__ == "__main__":
    run()
