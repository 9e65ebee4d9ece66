"""Makes the fixtures in this folder with the real engine: `python -m tests.plan.previews.make`, from the repository.

`create.json` is the preview of a new stack; `change.json` that of a stack that was made, after its program was changed;
`change-with-sames.json` the same with the resources that stay as they are.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.cluster import tools

HERE = Path(__file__).parent
PROJECT = HERE.parent / "projects" / "models"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = folder / "models"
        shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("__pycache__"))
        environment = prepare(folder)

        def pulumi(*arguments: str) -> str:
            command = ["pulumi", *arguments, "--stack", "dev", "--non-interactive"]
            done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise SystemExit(done.stdout + done.stderr)
            return done.stdout.replace(str(project), "/models")

        encrypt(project, pulumi)
        keep("create.json", pulumi("preview", "--json"))
        pulumi("up", "--yes", "--skip-preview")
        change(project / "program")
        pulumi("config", "set", "--secret", "token", "hunter3")
        keep("change.json", pulumi("preview", "--json"))
        keep("change-with-sames.json", pulumi("preview", "--json", "--show-sames"))


def keep(name: str, preview: str) -> None:
    """Without the stack traces and places of this machine, which say nothing."""
    document = json.loads(preview)
    for step in document["steps"]:
        for state in ("oldState", "newState"):
            step.get(state, {}).pop("stackTrace", None)
            if ".." in step.get(state, {}).get("sourcePosition", ""):
                del step[state]["sourcePosition"]
    document["diagnostics"] = [each for each in document["diagnostics"] if "from $PATH" not in each["message"]]
    (HERE / name).write_text(json.dumps(document, indent=1) + "\n")


def encrypt(project: Path, pulumi: Callable[..., str]) -> None:
    """The project's ciphertexts are made up: the engine gets real ones."""
    file = project / "program" / "Pulumi.dev.yaml"
    lines = file.read_text().splitlines(keepends=True)
    made_up = ("secure:", "encryptionsalt", "models:token", "password:")
    file.write_text("".join(line for line in lines if not any(word in line for word in made_up)))
    pulumi("stack", "init")
    pulumi("config", "set", "--secret", "token", "hunter2")
    pulumi("config", "set", "--secret", "--path", "registry.password", "correct horse")


def change(program: Path) -> None:
    """A model goes, one comes; in the one that stays: an image, a config, and a label of the selector."""
    main = program / "__main__.py"
    main.write_text(main.read_text().replace('("resnet50", "fraud")', '("resnet50", "text")'))
    parts = program / "parts.py"
    text = parts.read_text()
    for old, new in (
        ("triton:26.01", "triton:26.02"),
        ("max_batch_size: 32", "max_batch_size: 64"),
        ('labels = {"app": name}', 'labels = {"app": name, "tier": "serving"}'),
    ):
        assert old in text, old
        text = text.replace(old, new)
    parts.write_text(text)


def prepare(folder: Path) -> dict[str, str]:
    programs, state = folder / "programs", folder / "state"
    programs.mkdir()
    state.mkdir()
    for name in ("pulumi", "pulumi-language-python"):
        (programs / name).symlink_to(tools.ensure(name))
    plugin = programs / "pulumi-resource-kubernetes"
    plugin.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tests.plan.previews.kubernetes_offline "$@"\n')
    plugin.chmod(0o755)
    return os.environ | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), str(programs), os.environ["PATH"]]),
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_BACKEND_URL": state.as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PYTHONPATH": str(HERE.parents[2]),
    }


if __name__ == "__main__":
    main()
