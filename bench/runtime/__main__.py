"""Compare the runtime with its peers, in one run: `python -m bench.runtime [--triton DIR] [--perf-analyzer FILE]`.

All servers are up at once, and each cell is measured for each peer in turn, round after round, so that what else the
machine does meets all of them alike. Answers are compared with raw ONNX Runtime first. Writes results.json and prints
the tables as markdown. README.md says what to install.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from bench.runtime.load import PerfAnalyzer, check_answer, ghz, wrk
from bench.runtime.models import SHAPES, example, write_repository
from bench.runtime.peer import HERE, Missing, Peer, Setting, find, known, started
from bench.runtime.report import OURS, tables

CONCURRENCY = (1, 16, 64)
LOADS: dict[str, Callable[..., float]] = {"json": wrk, "binary": wrk, "grpc": ghz}
OPEN_RATES = {"tiny": (500, 2000), "middle": (250, 1000), "conv": (50, 150)}  # requests a second
CROSS_CHECK = 16  # the concurrency at which perf_analyzer is asked as well
FIRST_PORT = 18100


def main() -> None:
    """Measure, write, print."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        repository = scratch / "models"
        write_repository(repository)
        peers = _peers(options, repository, scratch)
        analyzer = PerfAnalyzer(options.perf_analyzer, options.libraries) if options.perf_analyzer else None
        raw = raw_rates(repository)
        with started(peers):
            for peer in peers:
                _check_answers(peer, repository, options.models)
            closed, clients = _closed_loop(peers, options, analyzer, scratch)
            results = _results(options, raw, closed, clients, peers)
            options.output.write_text(json.dumps(results, indent=1) + "\n")  # an open loop may take long
            if analyzer:
                results["open_loop"] = _open_loop(peers, options, analyzer, scratch)
    options.output.write_text(json.dumps(results, indent=1) + "\n")
    print(tables(results))


def _results(
    options: argparse.Namespace,
    raw: dict[str, dict[str, float]],
    closed: dict[str, dict[str, float]],
    clients: dict[str, dict[str, float]],
    peers: list[Peer],
) -> dict[str, Any]:
    return {
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "load_average": os.getloadavg()},
        "seconds": options.seconds,
        "rounds": options.rounds,
        "items_per_second": closed,
        "client_cpus": clients,
        "open_loop": {},
        "raw_onnxruntime": raw,
        "start_seconds": {peer.name: round(peer.start_seconds, 2) for peer in peers},
        "idle_mb": {peer.name: round(peer.idle_mb) for peer in peers},
        "memory_mb": {peer.name: round(peer.resident_mb()) for peer in peers},
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="medians of so many (default: %(default)s)")
    parser.add_argument("--models", nargs="+", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--wires", nargs="+", default=list(LOADS), choices=list(LOADS))
    parser.add_argument("--peers", nargs="+", default=known(), choices=known(), help="default: all that are installed")
    parser.add_argument("--python", nargs="+", default=[], metavar="PEER=FILE", help="a peer's own interpreter")
    parser.add_argument("--triton", type=lambda text: Path(text).resolve(), help="an unpacked nvidia-pytriton wheel")
    parser.add_argument("--perf-analyzer", type=lambda text: Path(text).resolve(), help="the program; also open loops")
    parser.add_argument("--libraries", default="", help="LD_LIBRARY_PATH of perf_analyzer")
    parser.add_argument("--output", type=Path, default=HERE / "results.json")
    options = parser.parse_args()
    needed = {LOADS[wire].__name__ for wire in options.wires}
    if missing := sorted(program for program in needed if not shutil.which(program)):
        raise SystemExit(f"{', '.join(missing)} must be on the path; see bench/runtime/README.md")
    return options


def _peers(options: argparse.Namespace, repository: Path, scratch: Path) -> list[Peer]:
    """Those that are installed, this server first."""
    pythons = dict(given.split("=", 1) for given in options.python)
    found = []
    for index, name in enumerate(options.peers):
        python = pythons.get(name, sys.executable)
        setting = Setting(repository, scratch, FIRST_PORT + 10 * index, python, options.triton)
        try:
            found.append(find(name, setting))
        except Missing as missing:
            print(f"without {name}: {missing}", file=sys.stderr)
    return sorted(found, key=lambda peer: peer.name != OURS)


def _check_answers(peer: Peer, repository: Path, models: list[str]) -> None:
    for model in models:
        (expected,) = _session(repository, model).run(None, {"x": example(model)})
        check_answer(peer, model, np.asarray(expected))


def _closed_loop(
    peers: list[Peer], options: argparse.Namespace, analyzer: PerfAnalyzer | None, scratch: Path
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """Items a second, and how many processors the client itself took: medians by cell and peer."""
    cells: dict[str, Callable[[Peer], float]] = {}
    wire_of: dict[str, str] = {}
    analyzed: set[str] = set()

    def add(cell: str, wire: str, load: Callable[..., float], model: str, concurrency: int) -> None:
        wire_of[cell] = wire
        cells[cell] = lambda peer: load(peer, wire, model, concurrency, options.seconds, scratch)

    for model in options.models:
        for wire in options.wires:
            if (model, wire) == ("conv", "json"):
                continue  # 27,648 numbers as text: a test of JSON parsers
            for concurrency in CONCURRENCY:
                add(f"{model}, {wire}, c={concurrency}", wire, LOADS[wire], model, concurrency)
            if analyzer and wire != "json":
                cell = f"{model}, {wire} by perf_analyzer, c={CROSS_CHECK}"
                add(cell, wire, analyzer.closed, model, CROSS_CHECK)
                analyzed.add(cell)
    samples: dict[str, dict[str, list[tuple[float, float]]]] = {cell: {} for cell in cells}
    for turn in range(options.rounds):
        for cell, measure in cells.items():
            for peer in peers:
                if wire_of[cell] in peer.ports and (peer.has_config or cell not in analyzed):
                    began, spent = time.perf_counter(), _clients_seconds()
                    rate = measure(peer)
                    share = (_clients_seconds() - spent) / (time.perf_counter() - began)
                    samples[cell].setdefault(peer.name, []).append((rate, share))
        print(f"round {turn + 1} of {options.rounds}", file=sys.stderr)
    return _medians(samples, part=0, digits=1), _medians(samples, part=1, digits=3)


def _medians(
    samples: dict[str, dict[str, list[tuple[float, float]]]], *, part: int, digits: int
) -> dict[str, dict[str, float]]:
    return {
        cell: {
            name: round(statistics.median(sample[part] for sample in measured), digits)
            for name, measured in by_peer.items()
        }
        for cell, by_peer in samples.items()
    }


def _clients_seconds() -> float:
    """Processor time of the programs that have ended, which are the clients."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _open_loop(
    peers: list[Peer], options: argparse.Namespace, analyzer: PerfAnalyzer, scratch: Path
) -> dict[str, dict[str, dict[str, float]]]:
    """Milliseconds under requests that come by chance: the median round (by the 99th percentile) of each cell."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for model in options.models:
        for wire in [wire for wire in options.wires if wire != "json"]:
            for rate in OPEN_RATES[model]:
                cell = found[f"{model}, {wire}, {rate}/s"] = {}
                for peer in [peer for peer in peers if wire in peer.ports and peer.has_config]:
                    rounds = [
                        analyzer.open(peer, wire, model, rate, options.seconds, scratch) for _ in range(options.rounds)
                    ]
                    middle = sorted(rounds, key=lambda latency: latency.p99_ms)[len(rounds) // 2]
                    cell[peer.name] = vars(middle)
    return found


def raw_rates(repository: Path) -> dict[str, dict[str, float]]:
    """Raw ONNX Runtime in this process, by batch size, before anything else runs."""
    rates: dict[str, dict[str, float]] = {}
    for model in SHAPES:
        session = _session(repository, model)
        rates[model] = {}
        for size in (1, 8, 32):
            batch = {"x": np.repeat(example(model), size, axis=0)}
            session.run(None, batch)
            began, runs = time.perf_counter(), 0
            while time.perf_counter() - began < 0.5:
                session.run(None, batch)
                runs += 1
            rates[model][str(size)] = round(runs * size / (time.perf_counter() - began), 1)
    return rates


def _session(repository: Path, model: str) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(repository / model / "1/model.onnx"), providers=["CPUExecutionProvider"])


if __name__ == "__main__":
    main()
