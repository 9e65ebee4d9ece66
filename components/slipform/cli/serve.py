"""``slipform serve``"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from .runtime import needs_runtime, serve_command
from .where import read_here


def serve(
    specs: Annotated[list[Path], typer.Argument(help="Spec files; several run in one server.", metavar="SPECS")],
    http_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of REST; 0 takes a free one.")] = 8000,
    grpc_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of gRPC; 0 takes a free one.")] = 8001,
    metrics_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the metrics.")] = 8002,
    model: Annotated[
        Path | None,
        typer.Option("--model", metavar="PATH", help="A model's file or version folder in place of model.uri."),
    ] = None,
    stack: Annotated[str | None, typer.Option("--stack", "-s", help="Serve the spec as this stack has it.")] = None,
) -> None:
    """Serve a spec on this machine, by the bundled runtime: no cluster, no image.

    A spec for another engine is served by the bundled runtime too, as it was trained; what is built of it where --model
    names what slipform build has made.

    Examples:

      slipform serve model_specs/iris.yaml

      slipform serve model_specs/text-direction.yaml --model ~/Downloads/model.onnx --http-port 0

      slipform serve model_specs/iris.yaml --model built/iris   # what slipform build made in the folder built
    """
    from ..local import prepare

    needs_runtime()
    root, chosen = read_here(specs, stack)
    with tempfile.TemporaryDirectory(prefix="slipform-serve-") as scratch:
        repository, config = prepare(chosen, root, Path(scratch), model)
        _until_stopped(serve_command(repository, config, http=http_port, grpc=grpc_port, metrics=metrics_port))


def _until_stopped(arguments: list[str]) -> None:
    """Runs the server in the foreground; it is told of Ctrl-C by the terminal itself, and drains."""
    import signal

    process = subprocess.Popen(arguments, env=os.environ)
    previous = signal.signal(signal.SIGTERM, lambda *_: process.send_signal(signal.SIGTERM))
    try:
        while True:
            try:
                code = process.wait()
                break
            except KeyboardInterrupt:
                continue
    finally:
        signal.signal(signal.SIGTERM, previous)
    if code:
        raise typer.Exit(code)
