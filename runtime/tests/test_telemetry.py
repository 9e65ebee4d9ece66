"""A server sends nothing to anybody whom its operator has not named."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime_testing.models import classifier, put

LOAD = {
    "onnx": """
import sys
from pathlib import Path
from slipform_runtime.backends.base import Device
from slipform_runtime.backends.onnx import OnnxBackend
OnnxBackend().load(Path(sys.argv[1]), Device(), None)
""",
    "openvino": """
import sys
from slipform_runtime.backends.openvino import import_openvino
import_openvino().convert_model(sys.argv[1])
""",
}


@pytest.mark.parametrize("library", LOAD)
def test_loading_a_model_leaves_no_identifier_behind(tmp_path: Path, library: str) -> None:
    """ONNX Runtime and OpenVINO write one into the user's folder, and send it with each use, unless they are told."""
    pytest.importorskip(library)
    model = put(tmp_path, "wine", classifier()) / "1" / "model.onnx"
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "CI", "XDG_"))}
    environment = {**kept, "HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", LOAD[library], model], env=environment, check=True)
    assert list(home.rglob("*")) == []
