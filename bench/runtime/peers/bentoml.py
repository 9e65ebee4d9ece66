"""BentoML with its adaptive batching, one worker."""

from bench.runtime.peer import HERE, Peer, Setting, needs


def peer(setting: Setting) -> Peer:
    needs(setting, "bentoml", "pip install bentoml onnxruntime")
    environment = {"REPOSITORY": str(setting.repository), "BENTOML_DO_NOT_TRACK": "true"}
    command = [setting.python, "-m", "bentoml", "serve", "bentoml_service:Onnx", "--working-dir", str(HERE / "servers")]
    command += ["--host", "127.0.0.1", "--port", str(setting.port)]
    return Peer("BentoML", command, {"json": setting.port}, environment, ready_path="/readyz")
