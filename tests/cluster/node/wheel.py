"""The bundled runtime as its wheel has it: a file that the wheel lacks is missing here as it would be in the image."""

import atexit
import shutil
import subprocess
import sys
import tempfile
import zipfile
from functools import cache
from pathlib import Path

RUNTIME = Path(__file__).parents[3] / "runtime"


@cache
def unpacked() -> Path:
    """A folder with the contents of this checkout's wheel, made once for a run of tests."""
    folder = Path(tempfile.mkdtemp(prefix="slipform-runtime-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=RUNTIME, check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"
