"""A hundred lines on the same libraries, without checks or features: what the features cost, shows."""

from bench.runtime.peer import HERE, Peer, Setting


def peer(setting: Setting) -> Peer:
    command = [setting.python, str(HERE / "servers/spike.py"), str(setting.repository), str(setting.port)]
    return Peer("spike", command, {"json": setting.port})
