"""Runs a stack's program without an engine, and shows what it registers.

`run` answers one immutable `Graph`; the views (`tree`, `to_json`, `to_markdown`, `to_html`, `render`) are made from it
and from nothing else. Neither a Pulumi CLI nor a cluster, an account or a network is needed.

`graphs` answers the graphs of two git revisions, `diff` compares two graphs, and `print_diff`, `diff_to_json`,
`diff_to_markdown` show the change.
"""

from .change.diff import Action, Change, Diff, diff
from .errors import DuplicateUrnError, GraphFormatError, PlanError, ProgramError, ProjectError, RenderError
from .graph import Graph, Message, Options, Resource, from_json, to_json
from .record import run
from .revisions import RevisionError, graphs
from .values import KNOWN_AFTER_APPLY, Secret
from .views.diff_json import diff_to_json
from .views.diff_markdown import diff_to_markdown
from .views.diff_text import print_diff
from .views.html import to_html
from .views.manifests import Rendered, render
from .views.markdown import to_markdown
from .views.tree import tree

__all__ = [
    "KNOWN_AFTER_APPLY",
    "Action",
    "Change",
    "Diff",
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
    "RevisionError",
    "Secret",
    "diff",
    "diff_to_json",
    "diff_to_markdown",
    "from_json",
    "graphs",
    "print_diff",
    "render",
    "run",
    "to_html",
    "to_json",
    "to_markdown",
    "tree",
]
