"""One line when a long step begins, one now and then while it goes on, and one with what it took."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Note = Callable[[str], None]
INTERVAL = 30.0


@contextmanager
def step(title: str) -> Iterator[Note]:
    """Reports a step on standard error; what it yields takes a word on how far it has come."""
    started = said = time.monotonic()
    print(f"{title} ...", file=sys.stderr, flush=True)

    def note(state: str) -> None:
        nonlocal said
        if time.monotonic() - said >= INTERVAL:
            said = time.monotonic()
            print(f"{title} ... {state}, {said - started:.0f} s", file=sys.stderr, flush=True)

    yield note
    print(f"{title}: {time.monotonic() - started:.1f} s", file=sys.stderr, flush=True)
