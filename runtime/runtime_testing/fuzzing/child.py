"""One target under libFuzzer: `python -m runtime_testing.fuzzing.child NAME CORPUS [FLAG...]`."""

import sys
from hashlib import sha256
from importlib import import_module
from pathlib import Path


def main() -> None:
    try:
        atheris = import_module("atheris")
    except ImportError:
        sys.exit("fuzzing needs atheris: pip install atheris")
    name, corpus, *flags = sys.argv[1:]
    with atheris.instrument_imports(include=["slipform_runtime", "hpack"]):
        from runtime_testing.fuzzing.targets import TARGETS
    target, seeds = TARGETS[name]
    for seed in seeds():
        (Path(corpus) / sha256(seed).hexdigest()[:16]).write_bytes(seed)
    atheris.Setup([sys.argv[0], *flags], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
