"""How pip is told to reach its packages here, as a configuration file and a certificate for a build's secrets."""

import ast
import subprocess
import sys
from pathlib import Path

_KEPT = {"index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries"}


def secrets(folder: Path) -> dict[str, Path]:
    """`pip.conf`, and where pip has a certificate of its own `ca.pem`, by the ids that the Dockerfile knows."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    settings = {}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        settings[name.rpartition(".")[2]] = str(ast.literal_eval(value))
    lines = [f"{name} = {value}" for name, value in settings.items() if name in _KEPT]
    found = {"pip.conf": folder / "pip.conf"}
    if certificate := settings.get("cert"):
        lines.append("cert = /run/secrets/ca.pem")
        found["ca.pem"] = Path(certificate)
    (folder / "pip.conf").write_text("\n".join(["[global]", *lines, ""]))
    return found
