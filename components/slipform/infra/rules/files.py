"""The rules of a stack's servers as files for Prometheus, with the tests that prove them: no program is run."""

from __future__ import annotations

from ...engines import registry
from ...project import Project
from ..autoscaler import hpa_name
from ..workloads import workloads
from .groups import rule_groups
from .promtool import promtool_tests, rule_file
from .server import Server


def rule_files(project: Project) -> dict[str, str]:
    """Texts by file name: ``<server>.rules.yaml``, and ``<server>.tests.yaml`` for ``promtool test rules``."""
    texts: dict[str, str] = {}
    for service in project.services:
        engine = registry.engine(service.specs[0].serving.engine)
        metrics = engine.metrics(project.stack)
        found = workloads(engine, service.name, service.specs, project.stack, project.root)
        hpas = tuple(hpa_name(found.target(track)) for track in found.scaled)
        groups = rule_groups(Server(service.name, service.specs, found.targets, hpas, project.stack), metrics)
        texts[f"{service.name}.rules.yaml"] = rule_file(groups)
        texts[f"{service.name}.tests.yaml"] = promtool_tests(groups, f"{service.name}.rules.yaml")
    return texts
