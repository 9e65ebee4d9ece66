"""Compare the runtime with its peers, in one run: `python bench/runtime/run.py [--triton DIR]`.

Load comes from wrk (JSON) and ghz (gRPC), one item a request. All servers are up at once, and each cell is measured
for each peer in turn, round after round, so that what else the machine does meets all of them alike. Answers are
compared with raw ONNX Runtime first. Writes results.json and prints the table as markdown.

Triton's C++ front end comes from the wheel of nvidia-pytriton, unpacked into the folder that --triton names, with
numpy<2 (its backend knows no other) and onnxruntime in the folder's `site`.
"""

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from models import MAX_BATCH_SIZE, SHAPES, example, write_repository

HERE = Path(__file__).parent
CONCURRENCY = (1, 16, 64)
TRITON_DELAY_US = 100


@dataclass
class Peer:
    """A server: how it starts, and on which ports it answers which wire."""

    name: str
    command: list[str]
    ports: dict[str, int]
    environment: dict[str, str] = field(default_factory=dict)
    ready: str = "/v2/health/ready"
    process: "subprocess.Popen[bytes] | None" = None
    start_seconds: float = 0.0
    memory_mb: float = 0.0

    def start(self) -> None:
        began = time.perf_counter()
        environment = {**os.environ, **self.environment}
        log = Path(tempfile.gettempdir()) / f"bench-{self.name.replace(' ', '-')}.log"
        with log.open("wb") as output:
            self.process = subprocess.Popen(self.command, env=environment, stdout=output, stderr=output)
        while True:
            try:
                url = f"http://127.0.0.1:{self.ports['json']}{self.ready}"
                with urllib.request.urlopen(url, timeout=1) as answer:
                    if answer.status == 200:
                        break
            except OSError:
                if self.process.poll() is not None or time.perf_counter() - began > 60:
                    raise SystemExit(f"{self.name} did not start; see {log}") from None
                time.sleep(0.01)
        self.start_seconds = time.perf_counter() - began

    def measure_memory(self) -> None:
        """Proportional memory of the process and its children."""
        if self.process is None:
            return
        children = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True).stdout.split()
        total = 0
        for pid in [str(self.process.pid), *children]:
            rollup = Path(f"/proc/{pid}/smaps_rollup")
            if rollup.exists() and (found := re.search(r"^Pss:\s+(\d+)", rollup.read_text(), re.M)):
                total += int(found[1])
        self.memory_mb = total / 1024


def peers(repository: Path, triton: Path | None, scratch: Path) -> list[Peer]:
    python = sys.executable
    serve = [
        python,
        "-m",
        "slipform_runtime",
        "serve",
        "--http-address",
        "127.0.0.1",
        "--model-repository",
        str(repository),
    ]
    found = [
        Peer(
            "slipform-runtime",
            [*serve, "--http-port", "18100", "--grpc-port", "18101", "--metrics-port", "18102"],
            {"json": 18100, "grpc": 18101},
        ),
        Peer("spike", [python, str(HERE / "peers/spike.py"), str(repository), "18110"], {"json": 18110}),
        Peer(
            "plain FastAPI",
            [python, str(HERE / "peers/plain_fastapi.py")],
            {"json": 18120},
            {"PORT": "18120", "REPOSITORY": str(repository)},
        ),
    ]
    if triton:
        found.append(_triton(repository, triton, scratch))
    return found


def _triton(repository: Path, triton: Path, scratch: Path) -> Peer:
    """NVIDIA's server with the Python backend, from an unpacked nvidia-pytriton wheel."""
    models = scratch / "triton"
    tensors = 'input {{ name: "x" data_type: TYPE_FP32 dims: {given} }}\n'
    tensors += 'output {{ name: "y" data_type: TYPE_FP32 dims: {out} }}\n'
    outputs = {"tiny": 3, "middle": 10, "conv": 128}
    for name, shape in SHAPES.items():
        shutil.copytree(repository / name / "1", models / name / "1")
        shutil.copy(HERE / "peers/triton_model.py", models / name / "1" / "model.py")
        config = f'backend: "python"\nmax_batch_size: {MAX_BATCH_SIZE[name]}\n'
        config += f"dynamic_batching {{ max_queue_delay_microseconds: {TRITON_DELAY_US} }}\n"
        config += "instance_group { kind: KIND_CPU count: 1 }\n"
        config += tensors.format(given=list(shape), out=[outputs[name]])
        (models / name / "config.pbtxt").write_text(config)
    home = triton / "pytriton/tritonserver"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = home / "python_backend_stubs" / version / "triton_python_backend_stub"
    backend = scratch / "backends/python"
    shutil.copytree(home / "backends/python", backend)
    for binary in (stub, home / "bin/tritonserver"):
        binary.chmod(0o755)
    shutil.copy(stub, backend / "triton_python_backend_stub")
    site = str(triton / "site")
    libraries = ":".join([str(triton / "nvidia_pytriton.libs"), str(Path(sys.base_prefix) / "lib")])
    command = [str(home / "bin/tritonserver"), "--model-repository", str(models), "--backend-directory"]
    command += [str(scratch / "backends"), "--http-port", "18130", "--grpc-port", "18131", "--metrics-port", "18132"]
    return Peer(
        "Triton",
        command,
        {"json": 18130, "grpc": 18131},
        {"BENCH_SITE": site, "LD_LIBRARY_PATH": libraries, "PYTHONHOME": sys.base_prefix},
    )


def json_body(model: str) -> str:
    item = example(model)
    tensor = {
        "name": "x",
        "datatype": "FP32",
        "shape": list(item.shape),
        "data": [round(float(v), 4) for v in item.ravel()],
    }
    return json.dumps({"inputs": [tensor]})


def check_answers(peer: Peer, repository: Path, models: list[str]) -> None:
    """Every model's answer is raw ONNX Runtime's."""
    for model in models:
        session = onnxruntime.InferenceSession(
            str(repository / model / "1/model.onnx"), providers=["CPUExecutionProvider"]
        )
        (expected,) = session.run(None, {"x": example(model)})
        url = f"http://127.0.0.1:{peer.ports['json']}/v2/models/{model}/infer"
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(url, json_body(model).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                got = json.loads(response.read())["outputs"][0]["data"]
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{peer.name} answers {model} with {error.code}: {error.read()[:500]!r}") from error
        np.testing.assert_allclose(np.array(got).ravel(), expected.ravel(), rtol=1e-4, atol=1e-6)


def load_json(peer: Peer, model: str, concurrency: int, seconds: int, scratch: Path) -> float:
    """Items a second by wrk; an answer other than 2xx fails the run."""
    script = scratch / f"{model}.lua"
    if not script.exists():
        body = json_body(model)
        script.write_text(f"wrk.method='POST'\nwrk.headers['Content-Type']='application/json'\nwrk.body=[[{body}]]\n")
    url = f"http://127.0.0.1:{peer.ports['json']}/v2/models/{model}/infer"
    command = ["wrk", "-t1", f"-c{concurrency}", f"-d{seconds}s", "-s", str(script), url]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in output:
        raise SystemExit(f"{peer.name} answers {model} with errors:\n{output}")
    found = re.search(r"Requests/sec:\s+([\d.]+)", output)
    return float(found[1]) if found else 0.0


def load_grpc(peer: Peer, model: str, concurrency: int, seconds: int, scratch: Path) -> float:
    """Items a second by ghz on at most 8 connections."""
    message = scratch / f"{model}.bin"
    if not message.exists():
        from slipform_runtime.protos import ModelInferRequest

        request = ModelInferRequest(model_name=model)
        item = example(model)
        request.inputs.add(name="x", datatype="FP32", shape=item.shape)
        request.raw_input_contents.append(item.tobytes())
        message.write_bytes(request.SerializeToString())
    import slipform_runtime.protos

    protoset = Path(slipform_runtime.protos.__file__).with_name("inference.binpb")
    command = ["ghz", "--insecure", "--protoset", str(protoset), "--call", "inference.GRPCInferenceService/ModelInfer"]
    command += ["-B", str(message), "-c", str(concurrency), "--connections", str(min(8, concurrency))]
    command += ["-z", f"{seconds}s", "--duration-stop", "ignore", "-O", "json", f"127.0.0.1:{peer.ports['grpc']}"]
    report = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    failed = {status: count for status, count in report["statusCodeDistribution"].items() if status != "OK"}
    # ghz closes its connections under the calls that it has just begun.
    if sum(failed.values()) > concurrency or set(failed) - {"Unavailable", "Canceled"}:
        raise SystemExit(f"{peer.name} answers {model} with {failed}: {report['errorDistribution']}")
    return float(report["rps"])


LOADS = {"json": load_json, "grpc": load_grpc}


@contextmanager
def started(found: list[Peer]) -> Iterator[None]:
    try:
        for peer in found:
            peer.start()
            print(f"{peer.name}: ready after {peer.start_seconds:.2f} s", file=sys.stderr)
        yield
    finally:
        for peer in found:
            if peer.process is not None:
                peer.process.terminate()
                try:
                    peer.process.wait(10)
                except subprocess.TimeoutExpired:
                    peer.process.kill()


def raw_rates(repository: Path) -> dict[str, dict[str, float]]:
    """Raw ONNX Runtime in this process, by batch size."""
    rates: dict[str, dict[str, float]] = {}
    for model in SHAPES:
        session = onnxruntime.InferenceSession(
            str(repository / model / "1/model.onnx"), providers=["CPUExecutionProvider"]
        )
        rates[model] = {}
        for size in (1, 8, 32):
            batch = {"x": np.repeat(example(model), size, axis=0)}
            session.run(None, batch)
            began, runs = time.perf_counter(), 0
            while time.perf_counter() - began < 0.5:
                session.run(None, batch)
                runs += 1
            rates[model][str(size)] = runs * size / (time.perf_counter() - began)
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="medians of so many (default: %(default)s)")
    parser.add_argument("--models", nargs="+", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--triton", type=Path, help="an unpacked nvidia-pytriton wheel")
    options = parser.parse_args()
    missing = [tool for tool in ("wrk", "ghz") if shutil.which(tool) is None]
    if missing:
        raise SystemExit(f"{', '.join(missing)} must be on the path; see bench/runtime/README.md")
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        repository = scratch / "models"
        write_repository(repository)
        found = peers(repository, options.triton.resolve() if options.triton else None, scratch)
        with started(found):
            for peer in found:
                check_answers(peer, repository, options.models)
            cells = measure(found, options, scratch)
            for peer in found:
                peer.measure_memory()
        raw = raw_rates(repository)
    results = {
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "load_average": os.getloadavg()},
        "seconds": options.seconds,
        "rounds": options.rounds,
        "items_per_second": cells,
        "raw_onnxruntime": raw,
        "start_seconds": {peer.name: round(peer.start_seconds, 2) for peer in found},
        "memory_mb": {peer.name: round(peer.memory_mb) for peer in found},
    }
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    print(table(results))


def measure(found: list[Peer], options: argparse.Namespace, scratch: Path) -> dict[str, dict[str, Any]]:
    """Medians by cell and peer."""
    samples: dict[str, dict[str, list[float]]] = {}
    for turn in range(options.rounds):
        for model in options.models:
            for wire, load in LOADS.items():
                for concurrency in CONCURRENCY:
                    cell = f"{model}, {wire}, c={concurrency}"
                    for peer in found:
                        if wire in peer.ports and not (model == "conv" and wire == "json"):
                            rate = load(peer, model, concurrency, options.seconds, scratch)
                            samples.setdefault(cell, {}).setdefault(peer.name, []).append(rate)
        print(f"round {turn + 1} of {options.rounds}", file=sys.stderr)
    return {
        cell: {name: round(statistics.median(rates), 1) for name, rates in by_peer.items()}
        for cell, by_peer in samples.items()
    }


def table(results: dict[str, Any]) -> str:
    cells = results["items_per_second"]
    names = list(results["start_seconds"])
    lines = ["| cell | " + " | ".join(names) + " | against Triton | against the spike |"]
    lines.append("|---|" + "---|" * (len(names) + 2))
    for cell, rates in cells.items():
        row = [f"{rates[name]:,.0f}" if name in rates else "" for name in names]
        own = rates["slipform-runtime"]
        ratios = [f"{own / rates[name]:.2f}" if rates.get(name) else "" for name in ("Triton", "spike")]
        lines.append(f"| {cell} | " + " | ".join(row + ratios) + " |")
    for key, unit in (("start_seconds", "s to ready"), ("memory_mb", "MB after the run")):
        lines.append(f"| {unit} | " + " | ".join(str(results[key][name]) for name in names) + " | | |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
