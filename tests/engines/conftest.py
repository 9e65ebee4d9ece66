from __future__ import annotations

from pathlib import Path

import pytest

from ..cluster.tools import Unavailable, ensure


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Prometheus' own judge of queries."""
    try:
        return ensure("promtool")
    except Unavailable as unavailable:
        pytest.skip(str(unavailable))
