"""What a Python team writes first: FastAPI and pydantic, one run a request."""

from importlib.util import find_spec

from bench.runtime.peer import HERE, Missing, Peer, Setting


def peer(setting: Setting) -> Peer:
    if not (find_spec("fastapi") and find_spec("uvicorn")):
        raise Missing("pip install fastapi uvicorn")
    environment = {"PORT": str(setting.port), "REPOSITORY": str(setting.repository)}
    command = [setting.python, str(HERE / "servers/plain_fastapi.py")]
    return Peer("plain FastAPI", command, {"json": setting.port}, environment)
