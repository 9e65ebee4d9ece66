"""Load on one peer, one item a request, by other people's clients: wrk, ghz and perf_analyzer.

Each function gives what it measured and fails the run on an answer that is not a success.
"""

import csv
import json
import os
import re
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bench.runtime.models import SHAPES, example
from bench.runtime.peer import Peer

import slipform_runtime.protos
from slipform_runtime.protos import ModelInferRequest

PROTOSET = Path(slipform_runtime.protos.__file__).with_name("inference.binpb")
GHZ_CONNECTIONS = 8


@dataclass(frozen=True)
class Latency:
    """An open loop's figures: what was asked for and answered a second, and milliseconds."""

    rate: float
    p50_ms: float
    p99_ms: float


def json_body(model: str) -> bytes:
    """A request of plain JSON."""
    data = [round(float(value), 4) for value in example(model).ravel()]
    return json.dumps({"inputs": [_tensor(model) | {"data": data}]}).encode()


def binary_body(model: str) -> tuple[bytes, int]:
    """A request as tritonclient sends it, and the length of its JSON."""
    raw = example(model).tobytes()
    tensor = _tensor(model) | {"parameters": {"binary_data_size": len(raw)}}
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    return head + raw, len(head)


def grpc_body(model: str) -> bytes:
    """A ModelInferRequest."""
    request = ModelInferRequest(model_name=model)
    request.inputs.add(**_tensor(model))
    request.raw_input_contents.append(example(model).tobytes())
    data: bytes = request.SerializeToString()
    return data


def _tensor(model: str) -> dict[str, Any]:
    return {"name": "x", "datatype": "FP32", "shape": [1, *SHAPES[model]]}


def check_answer(peer: Peer, model: str, expected: "np.ndarray[Any, Any]") -> None:
    """The answer to the example is `expected`, over REST as JSON."""
    request = urllib.request.Request(peer.url(model), json_body(model), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            answer = json.loads(response.read())
            # BentoML's batching answers with the list alone.
            got = (answer["outputs"] if isinstance(answer, dict) else answer)[0]["data"]
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{peer.name} answers {model} with {error.code}: {error.read()[:500]!r}") from error
    np.testing.assert_allclose(np.array(got).ravel(), expected.ravel(), rtol=1e-4, atol=1e-6)


def wrk(peer: Peer, wire: str, model: str, concurrency: int, seconds: int, scratch: Path) -> float:
    """Items a second over REST, on so many connections."""
    body, headers = json_body(model), {"Content-Type": "application/json"}
    if wire == "binary":
        body, length = binary_body(model)
        headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(length)}
    content = scratch / f"{model}.{wire}"
    content.write_bytes(body)
    script = content.with_suffix(f".{wire}.lua")
    lines = [f"wrk.headers['{name}']='{value}'" for name, value in headers.items()]
    script.write_text("\n".join(["wrk.method='POST'", *lines, f"wrk.body=io.open('{content}','rb'):read('*a')"]))
    command = ["wrk", "-t1", f"-c{concurrency}", f"-d{seconds}s", "-s", str(script), peer.url(model, wire)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in output:
        raise SystemExit(f"{peer.name} answers {model} with errors:\n{output}")
    found = re.search(r"Requests/sec:\s+([\d.]+)", output)
    return float(found[1]) if found else 0.0


def ghz(peer: Peer, wire: str, model: str, concurrency: int, seconds: int, scratch: Path) -> float:
    """Items a second over gRPC, on at most GHZ_CONNECTIONS connections."""
    message = scratch / f"{model}.bin"
    message.write_bytes(grpc_body(model))
    command = ["ghz", "--insecure", "--protoset", str(PROTOSET), "--call", "inference.GRPCInferenceService/ModelInfer"]
    command += ["-B", str(message), "-c", str(concurrency), "--connections", str(min(GHZ_CONNECTIONS, concurrency))]
    command += ["-z", f"{seconds}s", "--duration-stop", "ignore", "-O", "json", f"127.0.0.1:{peer.ports[wire]}"]
    report = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    failed = {status: count for status, count in report["statusCodeDistribution"].items() if status != "OK"}
    # ghz closes its connections under the calls that it has just begun.
    if sum(failed.values()) > concurrency or set(failed) - {"Unavailable", "Canceled"}:
        raise SystemExit(f"{peer.name} answers {model} with {failed}: {report['errorDistribution']}")
    return float(report["rps"])


class PerfAnalyzer:
    """NVIDIA's client, from the wheel of tritonclient 2.48.0."""

    def __init__(self, binary: Path, libraries: str) -> None:
        self._binary = binary
        self._environment = {**os.environ, "LD_LIBRARY_PATH": libraries}

    def closed(self, peer: Peer, wire: str, model: str, concurrency: int, seconds: int, scratch: Path) -> float:
        """Items a second with so many requests in flight."""
        # It wants three windows, and to find them stable.
        window = ["--concurrency-range", str(concurrency), "-p", str(seconds * 1000 // 3), "-r", "3", "-s", "1000"]
        return self._run(peer, wire, model, window, scratch).rate

    def open(self, peer: Peer, wire: str, model: str, rate: int, seconds: int, scratch: Path) -> Latency:
        """Latency where requests come by chance (Poisson), `rate` a second, however slow the answers."""
        arrivals = ["--request-rate-range", str(rate), "--request-distribution", "poisson"]
        arrivals += ["--request-count", str(rate * seconds)]
        return self._run(peer, wire, model, arrivals, scratch)

    def _run(self, peer: Peer, wire: str, model: str, load: list[str], scratch: Path) -> Latency:
        report = scratch / "perf_analyzer.csv"
        report.unlink(missing_ok=True)
        kind = "grpc" if wire == "grpc" else "http"
        command = [str(self._binary), "-m", model, "-u", f"127.0.0.1:{peer.ports[wire]}", "-i", kind, "-a"]
        command += ["--max-threads", "4", "-f", str(report), *load]
        done = subprocess.run(command, capture_output=True, text=True, env=self._environment)
        if not report.exists():
            raise SystemExit(f"perf_analyzer against {peer.name}, {model}:\n{done.stdout[-500:]}{done.stderr[-500:]}")
        with report.open() as rows:
            row = next(csv.DictReader(rows))
        p50, p99 = (float(row[f"{name} latency"]) / 1000 for name in ("p50", "p99"))
        return Latency(float(row["Inferences/Second"]), p50, p99)
