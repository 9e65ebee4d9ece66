"""LitServe with its dynamic batching."""

from bench.runtime.peer import HERE, Peer, Setting, needs


def peer(setting: Setting) -> Peer:
    needs(setting, "litserve", "pip install litserve onnxruntime")
    environment = {"PORT": str(setting.port), "REPOSITORY": str(setting.repository)}
    command = [setting.python, str(HERE / "servers/litserve_server.py")]
    return Peer("LitServe", command, {"json": setting.port}, environment, ready_path="/health")
