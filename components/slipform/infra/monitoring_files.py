"""What watches a stack's servers, as files: rules with the tests that prove them, dashboards. No program is run."""

from __future__ import annotations

from ..engines import registry
from ..project import Project
from .dashboard.board import board
from .rules.groups import rule_groups
from .rules.promtool import promtool_tests, rule_file
from .watched import watched
from .workloads import workloads


def monitoring_files(project: Project) -> dict[str, str]:
    """Texts by file name: ``<server>.rules.yaml``, ``.tests.yaml`` (promtool's) and ``.dashboard.json`` (Grafana's)."""
    texts: dict[str, str] = {}
    for service in project.services:
        engine = registry.engine(service.specs[0].serving.engine)
        metrics = registry.runtime(service.specs[0]).metrics(project.stack)
        found = workloads(engine, service.name, service.specs, project.stack, project.root)
        server = watched(service.name, service.specs, found, project.stack)
        groups = rule_groups(server, metrics)
        texts[f"{service.name}.rules.yaml"] = rule_file(groups)
        texts[f"{service.name}.tests.yaml"] = promtool_tests(groups, f"{service.name}.rules.yaml")
        texts[f"{service.name}.dashboard.json"] = board(server, metrics)
    return texts
