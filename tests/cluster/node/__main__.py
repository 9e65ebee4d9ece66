"""`python -m tests.cluster.node KUBECONFIG NODE.json FOLDER`: the node that NODE.json describes."""

import asyncio
import json
import sys
from contextlib import suppress
from pathlib import Path

from tests.cluster.api import Api
from tests.cluster.node.agent import Agent


def main() -> None:
    kubeconfig, node, folder = map(Path, sys.argv[1:])
    with suppress(KeyboardInterrupt):
        asyncio.run(Agent(Api(kubeconfig), json.loads(node.read_text()), folder).run())


if __name__ == "__main__":
    main()
