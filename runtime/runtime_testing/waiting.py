"""What tests wait for: events, not times, for a machine may be as slow as it likes."""

from collections.abc import Callable
from time import monotonic, sleep

PATIENCE_SECONDS = 120.0
"""After which something will not come any more. Nothing that is as it should be takes nearly as long."""


def until(holds: Callable[[], object]) -> None:
    """Return when it holds, by what another thread or process does; raises TimeoutError where it never does."""
    deadline = monotonic() + PATIENCE_SECONDS
    while not holds():
        if monotonic() > deadline:
            raise TimeoutError(f"what was waited for did not come within {PATIENCE_SECONDS:.0f} s")
        sleep(0.005)
