"""Ray Serve with its batching, one replica."""

from bench.runtime.peer import HERE, Peer, Setting, needs


def peer(setting: Setting) -> Peer:
    needs(setting, "ray.serve", "pip install 'ray[serve]' onnxruntime")
    environment = {"PORT": str(setting.port), "REPOSITORY": str(setting.repository), "RAY_USAGE_STATS_ENABLED": "0"}
    environment["PYTHONPATH"] = str(HERE / "servers")
    command = [setting.python, str(HERE / "servers/ray_server.py")]
    return Peer("Ray Serve", command, {"json": setting.port}, environment)
