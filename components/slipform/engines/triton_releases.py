"""What changed from one release of Triton's container to the next, as far as Slipform writes something else for it."""

from __future__ import annotations

OLDEST = "24.08"
"""Failures carry their reason from this release on, and error rates are made of it."""

WITHOUT_TENSORFLOW = "25.03"
"""The first release without the TensorFlow backend (server: build.py)."""

HTTP_LIMIT = "25.06"
"""The first release with ``--http-max-input-size`` (server: command_line_parser.cc)."""

HISTOGRAM = "26.01"
"""The first release whose latency histogram counts every model, not decoupled ones only (core: pull request 464)."""


def since(release: str, first: str) -> bool:
    """True where ``release`` is ``first`` or later; both are YY.MM, so that text order is time's order."""
    return release >= first
