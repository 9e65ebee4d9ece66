"""``slipform serve``"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from .where import project_root, spec_files


def serve(
    specs: Annotated[list[Path], typer.Argument(help="Spec files; several run in one server.", metavar="SPEC...")],
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
    from ..project import read_specs
    from ..spec.findings import SlipformError

    needs_runtime()
    try:
        root = project_root(specs)
    except SlipformError:
        root = Path.cwd()
    chosen = read_specs(root, spec_files(root, specs), stack)
    with tempfile.TemporaryDirectory(prefix="slipform-serve-") as scratch:
        repository, config = prepare(chosen, root, Path(scratch), model)
        arguments = [
            sys.executable, "-m", "slipform_runtime", "serve",
            f"--model-repository={repository}", f"--config={config}",
            f"--http-port={http_port}", f"--grpc-port={grpc_port}", f"--metrics-port={metrics_port}",
            "--http-address=127.0.0.1",
        ]  # fmt: skip
        _until_stopped(arguments)


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


def needs_runtime() -> None:
    """Raises SlipformError where the runtime is not installed."""
    from importlib.util import find_spec

    from ..spec.findings import SlipformError

    if find_spec("slipform_runtime") is None:
        raise SlipformError("the runtime is not installed here: pip install 'slipform[serve]'")
