"""Says by its exit code whether TorchServe has loaded the models that are named: every worker of each is ready.

TorchServe answers /ping with "Healthy" when it has no model at all, as after one that could not be loaded. So this
asks its management API, which listens inside the pod alone. TorchServe's own Python runs it, 3.9 in the image of 0.12.
"""

# mypy: ignore-errors
import json
import sys
import urllib.request

MANAGEMENT = "http://127.0.0.1:8081"


def ready(model):
    """Whether the model has all its workers."""
    with urllib.request.urlopen(f"{MANAGEMENT}/models/{model}", timeout=5) as answer:  # noqa: S310  (an http address)
        found = json.load(answer)[0]
    return sum(worker["status"] == "READY" for worker in found["workers"]) >= max(1, found["minWorkers"])


if __name__ == "__main__":
    try:
        waiting = [model for model in sys.argv[1:] if not ready(model)]
    except OSError as problem:
        sys.exit(f"not loaded: {problem}")
    if waiting:
        sys.exit(f"not ready: {', '.join(waiting)}")
