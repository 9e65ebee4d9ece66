"""A repository of model specs and one of its stacks, read and checked as a whole, before anything of Pulumi exists."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import project_file, stack_file
from .engines import registry
from .review import review_service, review_spec, review_stack, review_together
from .spec.document import Document, read
from .spec.findings import FieldPath, Finding, InvalidSpec, SlipformError, did_you_mean, errors, in_order
from .spec.merging import overlay
from .spec.modelspec import ModelSpec
from .spec.reading import typed
from .spec.stack import StackConfig

ONLY = "SLIPFORM_ONLY"
"""Environment variable: the spec files to take in place of the stack's, joined by os.pathsep."""

SERVERS = "SLIPFORM_SERVERS"
"""Environment variable: the servers to make in place of all, joined by commas; every spec is read and checked still."""

COST = "SLIPFORM_COST"
"""Environment variable: a file to which the program writes what all servers cost, those too that it does not make."""


@dataclass(frozen=True)
class LoadedSpec:
    """A spec as a stack sees it; ``overlaid`` are the paths whose values its ``stacks`` entry gave."""

    spec: ModelSpec
    document: Document
    overlaid: frozenset[FieldPath] = frozenset()


@dataclass(frozen=True)
class Service:
    """What runs in one server: one model, or the models of all specs that name it."""

    name: str
    specs: tuple[ModelSpec, ...]


@dataclass(frozen=True)
class Project:
    """A project with one stack's config and its specs, all of it right; ``warnings`` are doubts about it.

    ``servers`` names those that are to be made, None all; ``stack_document`` is where the stack's config stands.
    """

    root: Path
    stack_name: str
    stack: StackConfig
    loaded: tuple[LoadedSpec, ...]
    warnings: tuple[Finding, ...] = ()
    servers: frozenset[str] | None = None
    stack_document: Document | None = None

    @property
    def services(self) -> tuple[Service, ...]:
        services = group(loaded.spec for loaded in self.loaded)
        return tuple(each for each in services if self.servers is None or each.name in self.servers)

    @property
    def engines(self) -> frozenset[str]:
        """The engines whose servers run: of each, prometheus-adapter has the rules once."""
        specs = (loaded.spec for loaded in self.loaded)
        return frozenset(registry.runtime(spec).name for spec in specs)


@dataclass
class _Findings:
    """What has been found so far; the places of a document are looked up as findings come in."""

    found: list[Finding] = field(default_factory=list)

    def add(self, findings: Iterator[Finding] | Sequence[Finding], document: Document | None = None) -> None:
        for finding in findings:
            located = finding if finding.location or document is None else finding.at(document.location(finding.path))
            if located not in self.found:
                self.found.append(located)


def find_root(start: Path) -> Path:
    """The folder of Pulumi.yaml, found by walking up from ``start``. Raises SlipformError where there is none."""
    return project_file.find(start).parent


def stack_files(root: Path) -> dict[str, Path]:
    """The config file of each stack, by the stack's name."""
    file = project_file.file_in(root)
    if file is None:
        return {}
    settings = read(file).data
    if not isinstance(settings, dict):
        what = "is empty" if settings is None else "holds no mapping"
        raise SlipformError(f"{shown(file)} {what}; a project has `name`, `runtime: python` and `main`")
    folder = project_file.stack_config_dir(file, settings)
    return project_file.stack_files(folder, file)


def load(
    root: Path,
    stack_name: str,
    *,
    values: Mapping[str, str] | None = None,
    only: Sequence[Path] | None = None,
    servers: Collection[str] | None = None,
) -> Project:
    """The project as ``stack_name`` has it.

    ``values`` is the config as the engine hands it to a program (texts by ``namespace:key``); absent, the stack's
    file is read. ``only`` names spec files in place of the stack's; ``servers`` those that are to be made. Raises
    InvalidSpec with every mistake of every file, and SlipformError where there is no such stack.
    """
    findings = _Findings()
    stack, stack_document = _stack(root, stack_name, values, findings)
    if stack is not None:
        findings.add(review_stack(stack), stack_document)
    patterns = stack.model_specs if stack else ()
    known = stack_files(root)
    files = list(only) if only is not None else _spec_files(root, patterns, findings, stack_document)
    loaded = [one for file in files if (one := _spec(root, file, stack_name, stack, known, findings)) is not None]
    _across(loaded, findings)
    _in_servers(loaded, stack, findings)
    found = in_order(findings.found)
    if stack is None or errors(found):
        raise InvalidSpec(found)
    wanted = frozenset(servers) if servers is not None else None
    return Project(root, stack_name, stack, tuple(loaded), found, wanted, stack_document)


def review(project: Project, stack: StackConfig) -> tuple[Finding, ...]:
    """What there would be to say of a project's specs if its stack were another: nothing is read again."""
    findings = _Findings()
    findings.add(review_stack(stack), project.stack_document)
    for one in project.loaded:
        findings.add(review_spec(one.spec, stack, project.root), one.document)
    _across(project.loaded, findings)
    _in_servers(project.loaded, stack, findings)
    return in_order(findings.found)


def read_specs(root: Path, files: Sequence[Path], stack_name: str | None = None) -> tuple[ModelSpec, ...]:
    """Some specs by themselves, with a stack's differences where it is named. Raises InvalidSpec."""
    findings, known = _Findings(), stack_files(root)
    loaded = [one for file in files if (one := _spec(root, file, stack_name, None, known, findings)) is not None]
    _across(loaded, findings)
    if errors(findings.found):
        raise InvalidSpec(in_order(findings.found))
    return tuple(one.spec for one in loaded)


def check(root: Path, files: Sequence[Path], stack_name: str | None = None) -> tuple[Finding, ...]:
    """What is wrong with some spec files: by themselves, in each stack that they name, or in one stack as a whole."""
    if stack_name is not None:
        try:
            return load(root, stack_name, only=files).warnings
        except InvalidSpec as invalid:
            return invalid.findings
    findings, known = _Findings(), stack_files(root)
    loaded = [one for file in files if (one := _spec(root, file, None, None, known, findings)) is not None]
    _across(loaded, findings)
    return in_order(findings.found)


def files_of_stack(root: Path, stack_name: str) -> list[Path]:
    """The spec files that a stack's config names. Raises InvalidSpec where it can't be read, or names none."""
    findings = _Findings()
    stack, document = _stack(root, stack_name, None, findings)
    files = _spec_files(root, stack.model_specs, findings, document) if stack else []
    if errors(findings.found):
        raise InvalidSpec(in_order(findings.found))
    return files


def patterns_of(values: Mapping[str, str]) -> tuple[str, ...]:
    """The patterns of a stack's spec files, from its config as the engine hands it over. Raises SlipformError."""
    text = values.get("slipform:model_specs")
    given = StackConfig.model_fields["model_specs"].default if text is None else stack_file.parsed(text)
    patterns = [given] if isinstance(given, str) else given
    if not isinstance(patterns, Sequence) or not all(isinstance(each, str) for each in patterns):
        raise SlipformError("slipform:model_specs is no list of patterns")
    return tuple(patterns)


def server_of(file: Path, stack_name: str) -> str | None:
    """The server of the spec in a file, as the stack has it; None where nothing can be made of the file."""
    document, _ = overlay(read(file, shown(file)), stack_name)
    spec, _, wrong = typed(ModelSpec, document)
    return spec.server if spec is not None and not wrong else None


def group(specs: Iterator[ModelSpec] | Sequence[ModelSpec]) -> tuple[Service, ...]:
    """Specs by the server that they run in, in order of its name; within a server in order of theirs."""
    by_server: dict[str, list[ModelSpec]] = {}
    for spec in sorted(specs, key=lambda spec: spec.name):
        by_server.setdefault(spec.server, []).append(spec)
    return tuple(Service(name, tuple(by_server[name])) for name in sorted(by_server))


def _stack(
    root: Path, name: str, values: Mapping[str, str] | None, findings: _Findings
) -> tuple[StackConfig | None, Document]:
    files = stack_files(root)
    if name not in files and values is None:
        hint = did_you_mean(name, files) or (f"the stacks here: {', '.join(files)}" if files else "there is none here")
        raise SlipformError(f"no stack {name!r}: {hint}")
    try:
        written = read(files[name], shown(files[name])) if name in files else Document(root, {})
    except InvalidSpec as invalid:
        findings.add(invalid.findings)
        return None, Document(files[name], None)
    findings.add(stack_file.misplaced(written))
    document = stack_file.part_of_ours(written)
    if values is not None:
        mine = {key.removeprefix("slipform:"): text for key, text in values.items() if key.startswith("slipform:")}
        # Keys that only the file has are no fields: they are kept, to be refused with their place.
        data = {**(document.data or {}), **{key: stack_file.parsed(text) for key, text in mine.items()}}
        document = Document(document.file, data, document.keys, document.values)
    stack, found, wrong = typed(StackConfig, document)
    findings.add(found)
    return (None if wrong else stack), document


def _spec_files(root: Path, patterns: Sequence[str], findings: _Findings, stack_document: Document) -> list[Path]:
    files: set[Path] = set()
    for index, pattern in enumerate(patterns):
        matched = {file for file in root.glob(pattern) if file.is_file() and not file.name.startswith(".")}
        if not matched:
            message = f"no file matches {pattern}"
            findings.add([Finding(message, path=("model_specs", index), remedy="write a spec there")], stack_document)
        files |= matched
    return sorted(files)


def _spec(
    root: Path,
    file: Path,
    stack_name: str | None,
    stack: StackConfig | None,
    known: Collection[str],
    findings: _Findings,
) -> LoadedSpec | None:
    """One spec as the stack has it; without a stack, by itself and with each of its own ``stacks`` laid over."""
    try:
        document = read(file, shown(file))
    except InvalidSpec as invalid:
        findings.add(invalid.findings)
        return None
    findings.add(_unknown_stacks(document, known), document)
    if stack_name is None and isinstance(document.data, dict) and isinstance(document.data.get("stacks"), dict):
        for name in document.data["stacks"]:
            merged, _ = overlay(document, name)
            _read_spec(root, merged, None, findings)
    merged, overlaid = overlay(document, stack_name) if stack_name else (document, frozenset())
    spec = _read_spec(root, merged, stack, findings)
    return LoadedSpec(spec, merged, overlaid) if spec else None


def _read_spec(root: Path, document: Document, stack: StackConfig | None, findings: _Findings) -> ModelSpec | None:
    spec, found, wrong = typed(ModelSpec, document)
    findings.add(found)
    if spec is not None:
        findings.add(review_spec(spec, stack, root, wrong), document)
    return spec if not wrong else None


def _unknown_stacks(document: Document, known: Collection[str]) -> Iterator[Finding]:
    named = document.data.get("stacks") if isinstance(document.data, dict) else None
    for name in named if isinstance(named, dict) else ():
        if name not in known:
            yield Finding(
                f"no stack {name!r}",
                path=("stacks", name),
                allowed=", ".join(known) or "none: there is no Pulumi.<stack>.yaml",
                remedy=did_you_mean(str(name), known, f"add Pulumi.{name}.yaml, or remove it"),
                location=document.location(("stacks", name), key=True),
            )


def _across(loaded: Sequence[LoadedSpec], findings: _Findings) -> None:
    """What no spec shows by itself: names that two files share, or that would collide in the cluster."""
    first: dict[str, LoadedSpec] = {}
    for one in loaded:
        other = first.setdefault(one.spec.name, one)
        if other is not one:
            remedy = f"the other is at {other.document.location(('name',))}; rename one"
            findings.add([Finding(f"two specs are named {one.spec.name}", path=("name",), remedy=remedy)], one.document)
    for spec, finding in review_together([one.spec for one in loaded]):
        findings.add([finding], next(one.document for one in loaded if one.spec is spec))


def _in_servers(loaded: Sequence[LoadedSpec], stack: StackConfig | None, findings: _Findings) -> None:
    """What specs that share a server have to agree on."""
    for service in group(one.spec for one in loaded):
        first = next(one for one in loaded if one.spec is service.specs[0])
        findings.add(review_service(service.specs, stack), first.document)


def shown(file: Path) -> Path:
    """A file as people call it: relative to where they are, if it lies below."""
    try:
        relative = os.path.relpath(file)
    except ValueError:
        return file
    return file if relative.startswith("..") else Path(relative)
