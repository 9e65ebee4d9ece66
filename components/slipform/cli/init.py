"""``slipform init``"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..spec.modelspec import ModelSpec
    from ..starting.first_spec import FirstSpec
    from ..starting.models.signature import Signature
    from ..starting.models.stated import Stated

SMALL = 16
"""Numbers that a request to copy from the terminal may have."""


def init(
    model: Annotated[
        Path | None, typer.Argument(metavar="MODEL", help="The model's file, or the folder that holds it.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="The model's name; absent: made of the file's.")
    ] = None,
    team: Annotated[str | None, typer.Option("--team", metavar="TEAM", help="Who owns it.")] = None,
    uri: Annotated[
        str | None,
        typer.Option(
            "--uri",
            metavar="URI",
            help="Where clusters get it, as s3://BUCKET/NAME; absent: from this project, into which it is copied.",
        ),
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="NAME:TYPE:AXES",
            help="An input of a file that does not say it, as image:FP32:batch,3,224,224; one for each, in order.",
        ),
    ] = None,
    trust_pickle: Annotated[
        bool, typer.Option("--trust-pickle", help="Let `slipform build` read a pickle, which can run any code.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="The spec; absent: model_specs/<name>.yaml.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: assume what would be suggested.")] = False,
) -> None:
    """Write a first spec for a model: its inputs, outputs, types and axes are read from its file.

    Nothing of the model is run or unpickled. What no file says is assumed, and said with the reason; at a terminal a
    few things are asked. The spec passes `slipform validate`.

    Examples:

      slipform init model.onnx --name churn --team growth

      slipform init export/ --uri s3://acme-models/churn --yes

      slipform init scripted.pt --input image:FP32:batch,3,224,224
    """
    from ..spec.findings import SlipformError
    from ..starting.first_spec import must_be_new, write_spec
    from ..starting.models.stated import Stated, tensors
    from ..starting.placing import elsewhere, in_the_project
    from .where import project_root

    asks = not yes and sys.stdin.isatty() and sys.stdout.isatty()
    if model is None and not asks:
        raise SlipformError("which model? Name its file or folder, as in `slipform init model.onnx`")
    model = model or Path(typer.prompt("The model's file, or the folder that holds it")).expanduser()
    signature = _signature(model, Stated(tensors(inputs or ()), trust_pickle), asks)
    try:
        root, folder, models = project_root(), "model_specs", "model_specs/models"
    except SlipformError:
        root, folder, models = Path.cwd().resolve(), "", "models"
    name, name_from = _name(signature, name, asks)
    team = team or (typer.prompt("Which team owns it?", default="", show_default=False) if asks else None) or None
    uri = uri or (_address(signature) if asks else None)
    file = output or root / folder / f"{name}.yaml"
    must_be_new(file)
    place = elsewhere(signature, uri) if uri else in_the_project(signature, name, root, root / models)
    written = write_spec(signature, name, place, root, file, team=team)
    _say(signature, written, name_from, local=not uri, model=model)


def _signature(model: Path, stated: Stated, asks: bool) -> Signature:
    """What the file says; what it does not is asked, where somebody is there to answer."""
    from ..starting.models.recognise import read
    from ..starting.models.stated import Silent, Stated, tensors

    try:
        return read(model, stated)
    except Silent as silent:
        if not (asks and silent.arguments):
            raise
        typer.echo(f"{model} does not say what it takes: type and axes of each, as FP32:batch,3,224,224")
        answers = [f"{name}:{typer.prompt(f'  {name}')}" for name in silent.arguments]
        return read(model, Stated(tensors(answers), stated.trust_pickle))


def _name(signature: Signature, given: str | None, asks: bool) -> tuple[str, str]:
    from ..starting.draft import checked_name, name_of

    if given is not None:
        return checked_name(given), ""
    name, reason = name_of(signature)
    if asks:
        answer = typer.prompt("The model's name", default=name)
        return checked_name(answer), reason if answer == name else ""
    return name, reason


def _address(signature: Signature) -> str | None:
    """Asked only where a cluster can't get the model from the project."""
    from ..review.sources import MAX_IN_CONFIG_MAP

    if signature.size <= MAX_IN_CONFIG_MAP:
        return None
    typer.echo(f"It has {signature.size / 2**20:.1f} MiB: too much to travel with the specs.")
    question = "Where will clusters get it, as s3://BUCKET/NAME? (empty: not known yet)"
    return typer.prompt(question, default="", show_default=False) or None


def _say(signature: Signature, written: FirstSpec, name_from: str, *, local: bool, model: Path) -> None:
    from ..project import shown

    file = shown(written.file)
    typer.echo(f"wrote {file}")
    if written.copied_to is not None:
        typer.echo(f"copied the model to {shown(written.copied_to)}")
    typer.echo(f"\nread from {shown(signature.main)}: {signature.origin}")
    for role, tensors in (("input", signature.inputs), ("output", signature.outputs)):
        for tensor in tensors:
            typer.echo(f"  {role:<6}  {tensor.described()}")
    typer.echo("\nassumed:")
    if name_from:
        typer.echo(f"  name: {written.spec.name}\n      {name_from}")
    for each in written.assumptions:
        typer.echo(f"  {each.field}: {each.value}\n      {each.reason}")
    for doubt in written.doubts:
        typer.secho(f"\nwarning: {doubt}", fg=typer.colors.YELLOW, err=True)
    typer.echo("\nnext:")
    # Several files can stand for an address only where they are uploaded.
    for line in _next(written.spec, file, None if local or len(signature.files) > 1 else model):
        typer.echo(f"  {line}")


def _next(spec: ModelSpec, file: Path, model: Path | None) -> Iterator[str]:
    from ..engines import registry

    if command := registry.engine(spec.serving.engine).serves_here:
        yield f"{command}   # here, where what it imports is installed"
        yield f"slipform validate {file} --stack STACK   # it says how a cluster gets an image"
        return
    if spec.build is not None:
        yield f"slipform build {file} --output built" + (f" --model {model}" if model else "")
        yield f"slipform serve {file} --model built/{spec.name}"
    else:
        yield f"slipform serve {file}" + (f" --model {model}" if model else "")
    request = _request(spec)
    if request is not None:
        yield f"curl localhost:8000/predict -d '{request}'"
    else:
        yield "open http://localhost:8000/docs to try it"


def _request(spec: ModelSpec) -> str | None:
    """One request of zeros for the plain route; None where nobody would want to see it."""
    from math import prod

    from ..engines.sizes import typical_shape

    shapes = {tensor.name: typical_shape(tensor, {}) for tensor in spec.model.inputs}
    if any(prod(shape) > SMALL or len(shape) > 1 for shape in shapes.values()):
        return None
    zeros = {tensor.name: _zero(tensor.dtype) for tensor in spec.model.inputs}
    values = {name: [zeros[name]] * shape[0] if shape else zeros[name] for name, shape in shapes.items()}
    return json.dumps({"inputs": next(iter(values.values())) if len(values) == 1 else values})


def _zero(dtype: str) -> object:
    return {"BYTES": "", "BOOL": False}.get(dtype, 0.0 if dtype.startswith(("FP", "BF")) else 0)
