"""`python -m tests.cluster.tools`: makes every tool that is not on this machine, and says where each one is."""

import argparse
import signal
import sys
from pathlib import Path

from tests.cluster.tools import CRDS, TOOLS, Unavailable, cache, ensure, find

HINT = f"""
A tool on PATH or in the folder that KUBEBUILDER_ASSETS names is used as it is; the others are made once and kept
in {cache.root()} (set {cache.VARIABLE} to keep them elsewhere)."""


def main() -> int:
    names = [recipe.name for recipe in (*TOOLS, *CRDS)]
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.tools", description=__doc__, epilog=HINT)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these, of: {', '.join(names)}")
    parser.add_argument("--list", action="store_true", help="only say where each one is; make nothing")
    options = parser.parse_args()
    if unknown := sorted(set(options.names) - set(names)):
        parser.error(f"no such tool: {', '.join(unknown)} (choose from {', '.join(names)})")
    # Ends a build as Ctrl-C does, so that nothing half-made stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))

    missing = 0
    for recipe in (*TOOLS, *CRDS):
        if options.names and recipe.name not in options.names:
            continue
        try:
            path = find(recipe.name) if options.list else ensure(recipe.name)
        except Unavailable as error:
            print(f"{recipe.name} {recipe.version}: {error}", file=sys.stderr)
            path = None
        missing += path is None
        print(f"{recipe.name:28} {recipe.version:10} {_origin(path)}")
    if options.list:
        print(HINT)
    return 1 if missing and not options.list else 0


def _origin(path: Path | None) -> str:
    if path is None:
        return "not on this machine"
    return f"{path}" if path.is_relative_to(cache.root()) else f"{path} (not made here: its version is its own)"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
