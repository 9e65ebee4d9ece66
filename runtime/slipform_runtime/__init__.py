"""Slipform's runtime: a batched inference server that speaks the Open Inference Protocol."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("slipform-runtime")
except PackageNotFoundError:  # run from a checkout
    __version__ = "0.1.0"
