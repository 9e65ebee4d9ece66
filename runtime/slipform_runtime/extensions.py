"""Triton's extensions of the protocol: those that this server has, and what it says to who asks for another."""

EXTENSIONS = ["binary_tensor_data", "classification", "model_configuration", "model_repository", "statistics"]

# A part of the route or of gRPC's method, without slashes, to what a client does instead.
_INSTEAD = {
    "sharedmemory": "this server has no shared memory extension; send tensors in the request, best as binary data",
    "tracesetting": "this server has no trace extension; `trace` in its config file sends OpenTelemetry traces",
    "logging": "this server has no logging extension; POST /log-level on its management port changes the level",
    "logsettings": "this server has no logging extension; POST /log-level on its management port changes the level",
    "generate": "this server has no generate extension; use the model's /infer, or /predict/MODEL",
}


def instead_of(path: str) -> str:
    """What a client that asks for this unknown route or method should do; empty where nothing is known of it."""
    joined = path.lower().replace("/", "")
    return next((text for part, text in _INSTEAD.items() if part in joined), "")
