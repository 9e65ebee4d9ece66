"""``slipform pin``"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .report import Format, print_findings
from .screen import screen, working
from .where import Specs, project_root, spec_files, stack_names

if TYPE_CHECKING:
    from ..pinning import Pin, Pinned
    from ..spec.findings import Finding


def pin(
    specs: Specs = None,
    stack: Annotated[
        str | None,
        typer.Option("--stack", "-s", help="Images of this stack alone; absent: of all.", autocompletion=stack_names),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; end with 1 if something is not pinned or has moved.")
    ] = False,
    update: Annotated[bool, typer.Option("--update", help="Write what has moved as well.")] = False,
    format: Annotated[Format, typer.Option("--format", help="How --check says what it found.")] = Format.text,
) -> None:
    """Write the digests of models and images into spec files and the stacks' configs, and show the change.

    A model is fetched as a pod would fetch it; an image's registry is asked, with the login that `docker login` left.
    What has a digest is left as it is, and not asked for: --check compares it, and --update writes what it is now.
    A tag stays beside its digest (`name:tag@sha256:…`), so that it can be compared. Comments and layout stay.
    --check ends with 0 where all is as it was, with 1 where something is not, with 2 where that can't be known.

    Examples:

      slipform pin model_specs/fraud.yaml

      slipform pin --check --format github

      slipform pin -s prod --update
    """
    from ..editing import diff_of, print_diff, read_text, replace
    from ..pinning import with_digests
    from ..project import shown

    pins = _pins(specs, stack)
    asked = [each for each in pins if each.digest is None or check or update]
    found = _resolved(asked, project_root(specs))
    if check:
        findings = [*_findings(found)]
        print_findings(findings, format, checked=len(pins), noun="digest")
        if findings:
            raise typer.Exit(2 if any(each.problem for each in found) else 1)
        return
    _stop_at_problems(found)
    changed = [each for each in found if each.now != each.pin.digest]
    texts = {}
    for file in dict.fromkeys(each.pin.place.file for each in changed):
        before = read_text(file)
        texts[file] = (before, with_digests(before, [each for each in changed if each.pin.place.file == file], file))
    for file, (before, after) in texts.items():
        replace(file, after)
        print_diff(diff_of(before, after, shown(file).as_posix()), screen())
    kept = len(pins) - len(changed)
    typer.echo(f"{len(changed)} of {len(pins)} written" + (f", {kept} pinned before" if kept else ""), err=True)


def _pins(specs: Sequence[Path] | None, stack: str | None) -> list[Pin]:
    """Of the specs that are named, else of the stacks' own; then of the stacks' images."""
    from ..pinning import pins_of_spec, pins_of_stack, specs_of_stack
    from ..project import shown, stack_files
    from ..spec.document import read
    from ..spec.findings import SlipformError, did_you_mean

    root = project_root(specs)
    stacks = stack_files(root)
    if stack is not None and stack not in stacks:
        hint = did_you_mean(stack, stacks, f"the stacks here: {', '.join(stacks) or 'none'}")
        raise SlipformError(f"no stack {stack!r}: {hint}")
    documents = {file: read(file, shown(file)) for name, file in stacks.items() if stack in (None, name)}
    if specs:
        files = spec_files(root, specs)
    else:
        files = sorted({file for document in documents.values() for file in specs_of_stack(root, document)})
    pins = [pin for file in files for pin in pins_of_spec(file, read(file, shown(file)))]
    return pins + [pin for file, document in documents.items() for pin in pins_of_stack(file, document)]


def _resolved(pins: Sequence[Pin], root: Path) -> list[Pinned]:
    from ..pinning import resolve
    from ..spec.findings import SlipformError

    with working(f"asking for {len(pins)} digests"):
        try:
            return resolve(pins, root)
        except ImportError as missing:
            extra = "serve" if (missing.name or "").startswith("slipform_runtime") else "pin"
            raise SlipformError(
                f"{missing.name} is not installed here, and asks for digests: pip install 'slipform[{extra}]'"
            ) from None


def _findings(found: Sequence[Pinned]) -> Iterator[Finding]:
    from ..spec.findings import Finding

    for each in found:
        pin = each.pin
        given, now, remedy = pin.digest, each.now, None
        if each.problem is not None:
            message, remedy = each.problem.message, each.problem.remedy
        elif pin.digest is None:
            message, remedy = f"{pin.called} is not pinned", _command(pin)
        elif each.has_moved:
            message = f"{pin.called} has moved: another content than what was reviewed"
            remedy = f"find out why; {_command(pin)} --update takes it over"
        else:
            continue
        yield Finding(message, pin.place.path, given=given, allowed=now, remedy=remedy, location=pin.place.location)


def _command(pin: Pin) -> str:
    """What writes this pin."""
    file = pin.place.location.file
    if pin.place.path[0] == "config":
        return f"slipform pin -s {file.name.removeprefix('Pulumi.').removesuffix('.yaml')}"
    return f"slipform pin {file}"


def _stop_at_problems(found: Sequence[Pinned]) -> None:
    """All that could not be had, at once; nothing is written then."""
    from ..spec.findings import InvalidSpec

    wrong = [each for each in found if each.problem is not None]
    if wrong:
        typer.echo("nothing is written:", err=True)
        raise InvalidSpec([*_findings(wrong)])
