"""``python -m slipform_runtime`` is the command ``slipform-runtime``."""

from slipform_runtime.cli import run

run()
