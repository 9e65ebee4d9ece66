"""``make demo``: what the iris model becomes in production, then a live prediction from the same spec."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

from slipform.cli.runtime import ports_when_ready

ROOT = Path(__file__).parents[1]
SPEC = "model_specs/iris.yaml"
FLOWERS = {"a small one": [5.1, 3.5, 1.4, 0.2], "a large one": [6.7, 3.0, 5.2, 2.3]}


def main() -> int:
    slipform = Path(sys.executable).parent / "slipform"
    say(f"slipform plan {SPEC} -s prod", "what this spec becomes in production; no cluster, account or CLI is asked")
    subprocess.run([slipform, "plan", SPEC, "-s", "prod"], cwd=ROOT, check=True)
    say(f"slipform serve {SPEC}", "the same spec on this machine")
    command = [str(slipform), "serve", SPEC, "--http-port=0", "--grpc-port=0", "--metrics-port=0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            port = wait_until_ready(server)
            for which, measurements in FLOWERS.items():
                predict(port, which, measurements)
        finally:
            server.terminate()
            print(f"\n# stopped\n{server.stdout.read() if server.stdout else ''}", end="")
    print("\nNext: open model_specs/iris.yaml, change a value, and plan again.")
    return 0


def say(command: str, why: str) -> None:
    print(f"\n$ {command}\n# {why}\n", flush=True)


def wait_until_ready(server: subprocess.Popen[str]) -> int:
    """The HTTP port, once the server's log says that it is ready; everything it logged is shown."""
    ports = ports_when_ready(server.stdout or (), lambda line: print(line, end="", flush=True))
    if ports is None:
        raise SystemExit(f"the server ended with {server.wait()} before it was ready")
    return ports["http"]


def predict(port: int, which: str, measurements: list[float]) -> None:
    body = json.dumps({"inputs": measurements})
    print(f"\n$ curl localhost:{port}/predict/iris -d '{body}'    # {which}")
    request = urllib.request.Request(f"http://localhost:{port}/predict/iris", body.encode(), method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        print(answer.read().decode())


if __name__ == "__main__":
    sys.exit(main())
