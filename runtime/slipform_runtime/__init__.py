"""Slipform's runtime: a batched inference server that speaks the Open Inference Protocol."""

import os

# ONNX Runtime's wheels send usage events to their maker, and keep an identifier in the user's cache, unless told before
# their first import. A server sends nothing that its operator has not asked for.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"  # that of pyproject.toml: looking it up would cost every server 2 MB and 30 ms of its start
