"""A Helm chart of the same manifests, for as many models as give a wanted number of objects."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HELM = "SLIPFORM_HELM"


def helm() -> str | None:
    """The program that $SLIPFORM_HELM names, or that is on PATH; None where there is none."""
    return os.environ.get(HELM) or shutil.which("helm")


def write_chart(folder: Path, project: Path, stack: str, spec: str, objects: int) -> int:
    """Writes the chart to `folder`, a template for each object of the model `spec`. Answers how many objects it has."""
    with tempfile.TemporaryDirectory() as rendered:
        command = [sys.executable, "-m", "slipform.cli.main", "plan", f"model_specs/{spec}.yaml", "-s", stack]
        subprocess.run([*command, "--render", rendered], cwd=project, check=True, capture_output=True)
        manifests = [file.read_text(encoding="utf-8") for file in sorted(Path(rendered).rglob("*.yaml"))]
    documents = [each for text in manifests for each in text.split("\n---\n") if f"name: {spec}" in each]
    models = -(-objects // len(documents))
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: models\nversion: 1.0.0\n")
    (folder / "values.yaml").write_text(json.dumps({"models": [f"model-{number:04}" for number in range(models)]}))
    for number, text in enumerate(documents):
        template = text.replace("{{", '{{ "{{" }}').replace(spec, "{{ . }}").removeprefix("---\n")
        body = f"{{{{- range .Values.models }}}}\n---\n{template}\n{{{{- end }}}}\n"
        (folder / "templates" / f"{number:02}.yaml").write_text(body, encoding="utf-8")
    return models * len(documents)
