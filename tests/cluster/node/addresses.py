"""An address of its own for each pod, on this machine's loopback: every pod listens on the same ports."""

import itertools
import random
import socket
from collections.abc import Iterator

from tests.cluster.api import Object


def addresses() -> Iterator[str]:
    """Addresses of 127.0.0.0/8 that no other node on this machine is likely to have, each once."""
    first, second = random.randrange(1, 255), random.randrange(1, 255)
    numbers = itertools.chain.from_iterable(itertools.repeat(range(1, 255)))
    return (f"127.{first}.{second}.{number}" for number in numbers)


def is_free(address: str, pod: Object) -> bool:
    """Whether a pod could listen on its ports there."""
    for container in pod["spec"]["containers"]:
        for port in container.get("ports", []):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((address, port["containerPort"]))
                except OSError:
                    return False
    return True
