"""`python -m runtime_testing.fuzzing [TARGET...] [--seconds S | --runs N]`: needs `pip install atheris`."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

NAMES = ("rest", "grpc", "plain", "json_tensor", "binary_tensor", "http1", "http2", "hpack", "grpc_stream")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m runtime_testing.fuzzing", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(NAMES)}; default: all, in turn")
    parser.add_argument("--seconds", type=int, default=60, help="for each target; default: %(default)s")
    parser.add_argument("--runs", type=int, default=-1, help="inputs for each target, in place of the seconds")
    parser.add_argument("--seed", type=int, default=0, help="0 takes another one each time; default: %(default)s")
    parser.add_argument("--corpus", type=Path, help="a folder that keeps what has been found to reach new code")
    parser.add_argument("--replay", type=Path, help="run one input, a file that an earlier run has left, and end")
    options = parser.parse_args()
    if unknown := sorted(set(options.targets) - set(NAMES)):
        parser.error(f"no such target: {', '.join(unknown)} (choose from {', '.join(NAMES)})")
    codes = [_run(name, options) for name in options.targets or NAMES]
    return max(codes)


def _run(name: str, options: argparse.Namespace) -> int:
    """In a process of its own, since libFuzzer ends the one that it runs in."""
    limit = f"-runs={options.runs}" if options.runs >= 0 else f"-max_total_time={options.seconds}"
    with tempfile.TemporaryDirectory(prefix="slipform-fuzz-") as scratch:
        corpus = options.corpus / name if options.corpus else Path(scratch)
        corpus.mkdir(parents=True, exist_ok=True)
        flags = [str(corpus), limit, f"-seed={options.seed}", "-max_len=4096", "-timeout=10", "-rss_limit_mb=2048"]
        if options.replay:
            flags = [str(options.replay)]
        command = [sys.executable, "-m", "runtime_testing.fuzzing.child", name, str(corpus), *flags]
        sys.stderr.write(f"-- {name}\n")
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
