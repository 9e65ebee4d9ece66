"""The services as bentos, unpacked from what `bentoml export` writes: `python bentos.py FOLDER`."""

import sys
import tarfile
import tempfile
from pathlib import Path

import bentoml

HERE = Path(__file__).parent
FOLDER = Path(sys.argv[1])

for service in ("Doubler", "Strict"):
    made = bentoml.bentos.build(
        f"bento_service:{service}",
        name=service.lower(),
        version="v3",
        include=["bento_service.py"],
        python={"lock_packages": False},  # nothing is installed of it
        build_ctx=str(HERE),
    )
    with tempfile.TemporaryDirectory() as scratch:
        archive = bentoml.export_bento(made.tag, f"{scratch}/made.bento")
        with tarfile.open(archive) as packed:
            packed.extractall(FOLDER / service.lower() / "3", filter="data")
