"""This server, every feature on."""

from bench.runtime.peer import Peer, Setting


def peer(setting: Setting) -> Peer:
    ports = {"http": setting.port, "grpc": setting.port + 1, "metrics": setting.port + 2}
    command = [setting.python, "-m", "slipform_runtime", "serve", "--http-address", "127.0.0.1"]
    command += ["--model-repository", str(setting.repository)]
    for name, port in ports.items():
        command += [f"--{name}-port", str(port)]
    wires = {"json": ports["http"], "binary": ports["http"], "grpc": ports["grpc"]}
    return Peer("slipform-runtime", command, wires, has_config=True)
