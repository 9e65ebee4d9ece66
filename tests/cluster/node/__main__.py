"""`python -m tests.cluster.node KUBECONFIG NODE.json FOLDER RUNTIME`: the node that NODE.json describes.

RUNTIME is a folder with the bundled runtime, as its wheel unpacks.
"""

import asyncio
import json
import sys
from contextlib import suppress
from pathlib import Path

from tests.cluster.api import Api
from tests.cluster.node.agent import Agent


def main() -> None:
    kubeconfig, node, folder, runtime = map(Path, sys.argv[1:])
    with suppress(KeyboardInterrupt):
        asyncio.run(Agent(Api(kubeconfig), json.loads(node.read_text()), folder, runtime).run())


if __name__ == "__main__":
    main()
