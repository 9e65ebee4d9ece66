"""A build from its manifest to its published artefact."""

import tempfile
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from msgspec.structs import replace as replaced

from slipform_runtime.build.errors import BadInput, BuildError, CannotWrite, GateMissed, disk_is_full
from slipform_runtime.build.gates import described
from slipform_runtime.build.manifest import BuildManifest
from slipform_runtime.build.prepare import prepare
from slipform_runtime.build.progress import Progress
from slipform_runtime.build.proof.latency import Effort
from slipform_runtime.build.proof.prove import prove
from slipform_runtime.build.pruning.prune import prune
from slipform_runtime.build.report import Report, read_report
from slipform_runtime.build.reports import must_be_writable, write_reports
from slipform_runtime.build.scratch import scratch
from slipform_runtime.build.stores import LocalStore, Store, store_for
from slipform_runtime.build.targets.registry import target_for


@dataclass(frozen=True)
class Options:
    """What is said on the command line, beside the manifest."""

    output: Path | None = None
    """A model repository in place of the manifest's `output.uri`; a version of another key there is replaced."""

    reports: Path | None = None
    """A folder for the reports, of a build that misses a gate too."""

    trust_pickle: bool = False
    force: bool = False
    """Build even what is there already."""

    effort: Effort = field(default_factory=Effort)


@dataclass(frozen=True)
class Outcome:
    """`built` is False where the store had the artefact already; then `report` is that one's."""

    report: Report
    where: str
    built: bool


def build(manifest: BuildManifest, options: Options, progress: Progress) -> Outcome:
    """Do all of it. Raises a BuildError, after which the store is as it was before."""
    store = _store(manifest, options)
    present = None if options.force else _present(manifest, store)
    if present is not None:
        return Outcome(present, f"{store.where}/{manifest.version}", built=False)
    store.check()
    if options.reports is not None:
        must_be_writable(options.reports)
    try:
        with scratch() as work:
            return _build(manifest, options, store, progress, work)
    except BuildError as error:
        if disk_is_full(error) and not isinstance(error, CannotWrite):
            raise _full(error) from error
        raise
    except Exception as error:
        if disk_is_full(error):
            raise _full(error) from error
        raise


def _build(manifest: BuildManifest, options: Options, store: Store, progress: Progress, work: Path) -> Outcome:
    target = target_for(manifest.target)
    prepared = prepare(manifest, target, work, progress, trust_pickle=options.trust_pickle or manifest.trust_pickle)
    artefact = work / "version" / manifest.output.filename
    artefact.parent.mkdir()
    with progress.step("prune") if manifest.pruning else nullcontext():
        plan, pruned = prune(prepared.plan)
    prepared = replace(prepared, plan=plan)
    with progress.step("build", target=manifest.target, precision=manifest.precision):
        made = target.build(prepared.plan, artefact)
    report = replaced(prove(prepared, target, made, artefact, options.effort, progress), pruning=pruned)
    write_reports(report, artefact.parent)
    if options.reports is not None:
        write_reports(report, options.reports)
    _must_pass(report)
    where = f"{store.where}/{manifest.version}"
    with progress.step("publish", where=where):
        placed = store.put(artefact.parent, manifest.version, replace=options.output is not None or options.force)
    present = None if placed else _present(manifest, store)
    return Outcome(present or report, where, built=placed)


def _store(manifest: BuildManifest, options: Options) -> Store:
    return store_for(manifest.output.uri) if options.output is None else LocalStore(options.output / manifest.name)


def _present(manifest: BuildManifest, store: Store) -> Report | None:
    """What was built with this key before."""
    data = store.report(manifest.version)
    if data is None:
        return None
    try:
        report = read_report(data, f"{store.where}/{manifest.version}")
    except BadInput:  # of another version of this program: what it says is not known, so build anew
        return None
    return report if report.key == manifest.key and report.passed else None


def _must_pass(report: Report) -> None:
    missed = [described(gate) for gate in report.gates if not gate.passed]
    if missed:
        raise GateMissed("; ".join(missed) + f"; compared on {report.samples}")


def _full(error: Exception) -> CannotWrite:
    return CannotWrite(
        f"no room in {tempfile.gettempdir()}, where the build works: {error}; TMPDIR names another folder"
    )
