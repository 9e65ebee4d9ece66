"""NVIDIA's C++ front end with its Python backend, from an unpacked wheel of nvidia-pytriton.

Its backend runs ONNX Runtime on the whole batch (`servers/triton_model.py`), with numpy<2, the only one that it
knows, and onnxruntime from the folder's `site`.
"""

import shutil
import sys
from pathlib import Path

from bench.runtime.models import MAX_BATCH_SIZE, OUTPUTS, SHAPES
from bench.runtime.peer import HERE, Missing, Peer, Setting

QUEUE_DELAY_US = 100


def peer(setting: Setting) -> Peer:
    if setting.triton is None:
        raise Missing("--triton DIR, an unpacked nvidia-pytriton wheel")
    models = setting.scratch / "triton"
    for name in SHAPES:
        shutil.copytree(setting.repository / name / "1", models / name / "1")
        shutil.copy(HERE / "servers/triton_model.py", models / name / "1" / "model.py")
        (models / name / "config.pbtxt").write_text(_config(name))
    home = setting.triton / "pytriton/tritonserver"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = home / "python_backend_stubs" / version / "triton_python_backend_stub"
    backend = setting.scratch / "backends/python"
    shutil.copytree(home / "backends/python", backend)
    for binary in (stub, home / "bin/tritonserver"):
        binary.chmod(0o755)
    shutil.copy(stub, backend / "triton_python_backend_stub")
    http, grpc, metrics = setting.port, setting.port + 1, setting.port + 2
    command = [str(home / "bin/tritonserver"), "--model-repository", str(models)]
    command += ["--backend-directory", str(setting.scratch / "backends")]
    command += ["--http-port", str(http), "--grpc-port", str(grpc), "--metrics-port", str(metrics)]
    environment = {
        "BENCH_SITE": str(setting.triton / "site"),
        "LD_LIBRARY_PATH": ":".join([str(setting.triton / "nvidia_pytriton.libs"), str(Path(sys.base_prefix) / "lib")]),
        "PYTHONHOME": sys.base_prefix,
    }
    return Peer("Triton", command, {"json": http, "binary": http, "grpc": grpc}, environment, has_config=True)


def _config(name: str) -> str:
    tensors = (
        f'input {{ name: "x" data_type: TYPE_FP32 dims: {list(SHAPES[name])} }}\n'
        f'output {{ name: "y" data_type: TYPE_FP32 dims: {[OUTPUTS[name]]} }}\n'
    )
    return (
        f'backend: "python"\nmax_batch_size: {MAX_BATCH_SIZE[name]}\n{tensors}'
        f"dynamic_batching {{ max_queue_delay_microseconds: {QUEUE_DELAY_US} }}\n"
        "instance_group { kind: KIND_CPU count: 1 }\n"
    )
