"""KServe's Python server, as its images run it; one run a request."""

from bench.runtime.peer import HERE, Peer, Setting, needs


def peer(setting: Setting) -> Peer:
    needs(setting, "kserve", "pip install kserve onnxruntime")
    environment = {"PORT": str(setting.port), "REPOSITORY": str(setting.repository)}
    command = [setting.python, str(HERE / "servers/kserve_server.py")]
    wires = {"json": setting.port, "binary": setting.port, "grpc": setting.port + 1}
    return Peer("KServe", command, wires, environment)
