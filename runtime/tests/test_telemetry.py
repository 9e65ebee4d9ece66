"""A server sends nothing to anybody whom its operator has not named."""

import os
import subprocess
import sys
from pathlib import Path

from runtime_testing.models import classifier, put

LOAD = """
import sys
from pathlib import Path
from slipform_runtime.backends.base import Device
from slipform_runtime.backends.onnx import OnnxBackend
OnnxBackend().load(Path(sys.argv[1]), Device(), None)
"""


def test_loading_a_model_leaves_no_identifier_behind(tmp_path: Path) -> None:
    """ONNX Runtime writes one, and a queue of what it will send, into the user's cache where telemetry is on."""
    model = put(tmp_path, "wine", classifier()) / "1" / "model.onnx"
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "CI", "XDG_"))}
    environment = {**kept, "HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", LOAD, model], env=environment, check=True)
    assert list(home.rglob("*")) == []
