"""Seldon's MLServer, without its pool of worker processes, batching up to 64 for half a millisecond."""

import json
import shutil

from bench.runtime.models import SHAPES
from bench.runtime.peer import HERE, Peer, Setting, needs


def peer(setting: Setting) -> Peer:
    needs(setting, "mlserver", "pip install mlserver onnxruntime")
    folder = setting.scratch / "mlserver"
    for name in SHAPES:
        (folder / name).mkdir(parents=True)
        settings = {
            "name": name,
            "implementation": "mlserver_model.Onnx",
            "max_batch_size": 64,
            "max_batch_time": 0.0005,
            "parameters": {"version": "1"},
        }
        (folder / name / "model-settings.json").write_text(json.dumps(settings))
    ports = {"http_port": setting.port, "grpc_port": setting.port + 1, "metrics_port": setting.port + 2}
    server = {"host": "127.0.0.1", "parallel_workers": 0, "debug": False, **ports}
    (folder / "settings.json").write_text(json.dumps(server))
    for module in ("mlserver_model.py", "onnx_model.py"):
        shutil.copy(HERE / "servers" / module, folder)
    environment = {"REPOSITORY": str(setting.repository), "PYTHONPATH": str(folder)}
    command = [setting.python, "-m", "mlserver.cli.main", "start", str(folder)]
    wires = {"json": setting.port, "grpc": setting.port + 1}  # a body of binary tensors is answered with 500
    return Peer("MLServer", command, wires, environment)
