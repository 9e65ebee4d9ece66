"""How an environment gets this very Slipform: the line for requirements.txt, as the installer wrote it down."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, distribution

RUNTIME = "slipform-runtime"


def requirements() -> tuple[str, tuple[str, ...]]:
    """Lines for requirements.txt, and what is doubtful about them."""
    from .. import __version__

    address = _repository("slipform")
    doubts: tuple[str, ...] = ()
    line = f"slipform[serve] @ {address}" if address else f"slipform[serve]=={__version__}"
    if not address and _direct("slipform"):
        doubts = (
            f"requirements.txt asks the package index for slipform {__version__}; what runs here was installed from a "
            "file, so write there where your colleagues and your CI get it",
        )
    runtime = _repository(RUNTIME)
    return "\n".join([line, *([f"{RUNTIME} @ {runtime}"] if runtime else [])]), doubts


def _repository(package: str) -> str | None:
    """The commit that a package was installed from; None where it came from an index or a file."""
    origin = _direct(package)
    vcs = origin.get("vcs_info")
    if not isinstance(vcs, dict) or not vcs.get("commit_id"):
        return None
    folder = f"#subdirectory={origin['subdirectory']}" if origin.get("subdirectory") else ""
    return f"{vcs.get('vcs')}+{origin.get('url')}@{vcs['commit_id']}{folder}"


def _direct(package: str) -> dict[str, object]:
    """``direct_url.json``, which installers write for what came from no index (PEP 610)."""
    try:
        text = distribution(package).read_text("direct_url.json")
    except PackageNotFoundError:
        return {}
    origin = json.loads(text) if text else {}
    return origin if isinstance(origin, dict) else {}
