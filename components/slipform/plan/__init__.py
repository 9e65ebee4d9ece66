"""Runs a stack's program without an engine, and shows what it registers.

`run` answers one immutable `Graph`; the views (`tree`, `to_json`, `to_markdown`, `to_html`, `render`) are made from it
and from nothing else. Neither a Pulumi CLI nor a cluster, an account or a network is needed.
"""

from .errors import DuplicateUrnError, GraphFormatError, PlanError, ProgramError, ProjectError, RenderError
from .graph import Graph, Message, Options, Resource, from_json, to_json
from .record import run
from .values import KNOWN_AFTER_APPLY, Secret
from .views.html import to_html
from .views.manifests import Rendered, render
from .views.markdown import to_markdown
from .views.tree import tree

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
    "Rendered",
    "Resource",
    "Secret",
    "from_json",
    "render",
    "run",
    "to_html",
    "to_json",
    "to_markdown",
    "tree",
]
