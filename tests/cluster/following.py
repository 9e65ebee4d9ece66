"""Something that is told of every change to the objects of one kind, for the time of a block."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import urllib3
from tests.cluster.api import Api, DynamicApiError, Object


@contextmanager
def following(
    api: Api, version: str, kind: str, tell: Callable[[Sequence[Object]], None], *, namespace: str, labels: str = ""
) -> Iterator[None]:
    """Tells, in a thread, of the objects as they are and as they become; never after the block."""
    telling, over = threading.Lock(), False

    def follow() -> None:
        try:
            for found in api.follow(version, kind, namespace=namespace, labels=labels):
                with telling:
                    if over:
                        return
                    tell(found)
        except (DynamicApiError, urllib3.exceptions.HTTPError):
            if not over:  # else the server may be gone
                raise

    threading.Thread(target=follow, daemon=True).start()
    try:
        yield
    finally:
        with telling:
            over = True
