"""What the cluster tests run: each tool is found on this machine, or made from a pinned version.

`python -m tests.cluster.tools` makes all of them; `--list` says where each one is.
"""

from tests.cluster.tools.errors import Unavailable
from tests.cluster.tools.found import ensure, find
from tests.cluster.tools.recipes import CRDS, TOOLS

__all__ = ["CRDS", "TOOLS", "Unavailable", "ensure", "find"]
