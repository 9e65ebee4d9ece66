"""Slipform's runtime: a batched inference server that speaks the Open Inference Protocol."""

import os
from importlib.metadata import PackageNotFoundError, version

# ONNX Runtime's wheels send usage events to their maker, and keep an identifier in the user's cache, unless told before
# their first import. A server sends nothing that its operator has not asked for.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

try:
    __version__ = version("slipform-runtime")
except PackageNotFoundError:  # run from a checkout
    __version__ = "0.1.0"
