"""`slipform-runtime bench`."""

import argparse
import asyncio
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from slipform_runtime.bench.samples import Request

EXIT_MISSED = 1
DESCRIPTION = (
    "Put load on a model of a running server that speaks the Open Inference Protocol, this one or another, and hold "
    "what comes of it against objectives. --concurrency is a closed loop: so many clients, each waiting for its "
    "answer. --rate is an open one: Poisson arrivals, latencies counted from when a request was due, as users feel it."
)
EPILOG = """exit codes: 0 done, and every objective met; 1 an objective was missed; 2 bad input;
  3 the server can't be reached; 5 a package is missing

examples:
  slipform-runtime bench http://localhost:8000 --model iris
  slipform-runtime bench http://localhost:8000 --model iris --wire grpc --rate 200 1000 \\
      --objective p95=20ms --objective availability=99.9
  slipform-runtime bench http://localhost:8000 --model iris --locust locustfile.py"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("url", metavar="URL", type=_url, help="the server's REST side: http://HOST:PORT")
    parser.add_argument("--model", required=True, metavar="NAME")
    parser.add_argument("--model-version", default="", metavar="N", help="default: the server's choice")
    parser.add_argument("--grpc", metavar="HOST:PORT", help="where gRPC is; default: the URL's host, port 8001")
    parser.add_argument("--wire", nargs="+", choices=("json", "binary", "grpc"), default=["json"], help="default: json")
    parser.add_argument(
        "--concurrency",
        nargs="+",
        type=_whole,
        default=[],
        metavar="N",
        help="closed loops; default without --rate: 1 16",
    )
    parser.add_argument(
        "--rate", nargs="+", type=_positive, default=[], metavar="R", help="open loops, requests a second"
    )
    parser.add_argument("--items", type=_whole, default=1, metavar="N", help="items a request; default: 1")
    parser.add_argument("--seconds", type=_positive, default=5.0, metavar="S", help="of each measurement; default: 5")
    parser.add_argument(
        "--warmup", type=_positive, default=1.0, metavar="S", help="before each, not counted; default: 1"
    )
    parser.add_argument("--timeout", type=_positive, default=10.0, metavar="S", help="of a request; default: 10")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FILE",
        help="requests: .npz of arrays by input, .json of infer requests; default: random",
    )
    parser.add_argument(
        "--shape", action="append", default=[], type=_shape, metavar="INPUT:D,D", help="for inputs of an open shape"
    )
    parser.add_argument(
        "--objective", action="append", default=[], metavar="O", help="p95=20ms, availability=99.9; may be given again"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--locust", type=Path, metavar="FILE", help="write a locust file with these requests, and end")


def command(arguments: argparse.Namespace) -> int:
    """Run it; the exit code."""
    try:
        import aiohttp  # noqa: F401
        import grpc.aio  # noqa: F401
    except ModuleNotFoundError as error:
        sys.stderr.write(f"slipform-runtime bench needs {error.name}; install slipform-runtime[bench]\n")
        return 5
    try:
        return asyncio.run(_bench(arguments))
    except KeyboardInterrupt:
        return 130


async def _bench(arguments: argparse.Namespace) -> int:
    from slipform_runtime.bench import report, samples
    from slipform_runtime.bench.figures import parse_objective
    from slipform_runtime.bench.load import Closed, Load, Open
    from slipform_runtime.bench.measure import measure
    from slipform_runtime.bench.server import Asked

    objectives = [parse_objective(text) for text in arguments.objective]
    loads: list[Load] = [Closed(each) for each in arguments.concurrency] + [Open(each) for each in arguments.rate]
    server = Asked(arguments.url, arguments.model, arguments.model_version)
    try:
        inputs = samples.declared(await server.metadata())
        requests = (
            samples.read(arguments.data, inputs, arguments.items)
            if arguments.data
            else samples.make_up(inputs, arguments.items, dict(arguments.shape))
        )
        if arguments.locust:
            return _write_locust(arguments, server.path, requests)
        measured = [
            await measure(server, wire, load, requests, objectives, arguments)
            for wire in arguments.wire
            for load in loads or [Closed(1), Closed(16)]
        ]
    finally:
        await server.close()
    if arguments.json:
        sys.stdout.write(json.dumps(report.as_json(measured, objectives), indent=2) + "\n")
    else:
        sys.stdout.write(report.table(measured, objectives))
    return 0 if all(objective.met(each) for objective in objectives for each in measured) else EXIT_MISSED


def _write_locust(arguments: argparse.Namespace, path: str, requests: "Sequence[Request]") -> int:
    from slipform_runtime.bench import locustfile

    beside = locustfile.write(arguments.locust, arguments.url, path, arguments.model, requests)
    sys.stdout.write(f"wrote {arguments.locust} and {beside}\n")
    return 0


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise argparse.ArgumentTypeError(f"'{text}' is no address: http://HOST:PORT is")
    return text.rstrip("/")


def _shape(text: str) -> tuple[str, tuple[int, ...]]:
    match = re.fullmatch(r"(.+):(\d+(?:,\d+)*)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"'{text}' is no shape: INPUT:3,224,224 is (without the batch axis)")
    return match[1], tuple(map(int, match[2].split(",")))


def _whole(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) <= 4096:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 1 to 4096")
    return int(text)


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1e6:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number over 0")
    return number
