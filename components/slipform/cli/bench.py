"""``slipform bench``"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .runtime import needs_runtime, ports_when_ready, serve_command
from .where import read_here

if TYPE_CHECKING:
    from ..spec.traffic import Slo


def bench(
    spec: Annotated[Path, typer.Argument(help="The spec file.", metavar="SPEC")],
    url: Annotated[
        str | None, typer.Argument(help="A server that has the model; absent: one is started here.", metavar="URL")
    ] = None,
    grpc: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where its gRPC is; absent: the URL's host, port 8001.")
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option("--model", metavar="PATH", help="A model's file or version folder in place of model.uri."),
    ] = None,
    wire: Annotated[list[str] | None, typer.Option(help="json, binary or grpc; may be given again.")] = None,
    concurrency: Annotated[
        list[int] | None, typer.Option(min=1, max=4096, help="A closed loop of so many clients; may be given again.")
    ] = None,
    rate: Annotated[
        list[float] | None,
        typer.Option(min=0.01, help="An open loop of so many requests a second; may be given again."),
    ] = None,
    items: Annotated[int, typer.Option(min=1, help="Items a request.")] = 1,
    seconds: Annotated[float, typer.Option(min=0.1, help="Of each measurement.")] = 5.0,
    data: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Requests: .npz of arrays by input, .json of infer requests.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Put load on a spec's model and hold what comes of it against the spec's objectives (slo).

    Exit codes: 0 every objective met; 1 one was missed; 2 bad input; 3 the server can't be reached.
    slipform-runtime bench is the same for a model without a spec, and has more options.

    Examples:

      slipform bench model_specs/iris.yaml --rate 500

      slipform bench model_specs/iris.yaml http://localhost:8000 --wire grpc --concurrency 16 --seconds 30
    """
    needs_runtime()
    if spec.is_dir():
        raise typer.BadParameter(f"{spec} is a folder; load is put on one model: name its spec", param_hint="SPEC")
    root, (read,) = read_here([spec])
    options = [f"--model={read.name}", f"--items={items}", f"--seconds={seconds}"]
    options += ["--wire", *wire] if wire else []
    options += ["--concurrency", *map(str, concurrency)] if concurrency else []
    options += ["--rate", *map(str, rate)] if rate else []
    options += [f"--data={data.absolute()}"] if data else []
    options += [f"--objective={each}" for each in objectives(read.slo)] if read.slo else []
    options += ["--json"] * json
    if url:
        raise typer.Exit(_bench(url, [*options, f"--grpc={grpc}"] if grpc else options))
    with tempfile.TemporaryDirectory(prefix="slipform-bench-") as scratch:
        from slipform_runtime.logs import Level, log

        from ..local import prepare

        log.level = Level.WARNING  # standard output is for the figures
        repository, config = prepare([read], root, Path(scratch), model)
        with _served(repository, config) as (http_port, grpc_port):
            code = _bench(f"http://127.0.0.1:{http_port}", [*options, f"--grpc=127.0.0.1:{grpc_port}"])
    raise typer.Exit(code)


def objectives(slo: Slo) -> list[str]:
    """As the runtime's bench takes them."""
    latency = slo.latency.chosen if slo.latency else {}
    bounds = [f"{percentile}={bound}" for percentile, bound in latency.items()]
    return bounds + ([f"availability={slo.availability:g}"] if slo.availability is not None else [])


def _bench(url: str, options: Sequence[str]) -> int:
    return subprocess.run([sys.executable, "-m", "slipform_runtime", "bench", url, *options], check=False).returncode


@contextmanager
def _served(repository: Path, config: Path) -> Iterator[tuple[int, int]]:
    """The ports of HTTP and gRPC of a server that is ready; its log is shown only where it fails."""
    from ..spec.findings import SlipformError

    command = serve_command(repository, config)
    with (
        (repository.parent / "server.log").open("w+") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as server,
    ):
        try:
            said: list[str] = []
            ports = ports_when_ready(server.stdout or (), said.append)
            if ports is None:
                log.seek(0)
                raise SlipformError(f"the server ended before it was ready:\n{''.join(said)}{log.read()}")
            yield ports["http"], ports["grpc"]
        finally:
            server.terminate()
