"""The rules of a stack's servers as files for Prometheus, with the tests that prove them: no program is run."""

from __future__ import annotations

from ...engines import registry
from ...project import Project
from ..autoscaler import hpa_name
from ..tracks import workloads
from .groups import rule_groups
from .promtool import promtool_tests, rule_file
from .server import Server


def rule_files(project: Project) -> dict[str, str]:
    """Texts by file name: ``<server>.rules.yaml``, and ``<server>.tests.yaml`` for ``promtool test rules``."""
    texts: dict[str, str] = {}
    for service in project.services:
        spec = service.specs[0]
        metrics = registry.engine(spec.serving.engine).metrics(project.stack)
        run_by = workloads(service.name, spec)
        hpas = tuple(hpa_name(workload) for workload in run_by)
        groups = rule_groups(Server(service.name, service.specs, run_by, hpas, project.stack), metrics)
        texts[f"{service.name}.rules.yaml"] = rule_file(groups)
        texts[f"{service.name}.tests.yaml"] = promtool_tests(groups, f"{service.name}.rules.yaml")
    return texts
