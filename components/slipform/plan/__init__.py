"""Runs a stack's program without an engine, and shows what it registers.

`run` answers one immutable `Graph`; the views (`tree`, `to_json`, `to_markdown`, `render`) are made from it and from
nothing else. Neither a Pulumi CLI nor a cluster, an account or a network is needed.
"""

from .errors import DuplicateUrnError, GraphFormatError, PlanError, ProgramError, ProjectError, RenderError
from .graph import Graph, Message, Options, Resource, from_json, to_json
from .record import run
from .values import KNOWN_AFTER_APPLY, Secret

__all__ = [
    "KNOWN_AFTER_APPLY",
    "DuplicateUrnError",
    "Graph",
    "GraphFormatError",
    "Message",
    "Options",
    "PlanError",
    "ProgramError",
    "ProjectError",
    "RenderError",
    "Resource",
    "Secret",
    "from_json",
    "run",
    "to_json",
]
