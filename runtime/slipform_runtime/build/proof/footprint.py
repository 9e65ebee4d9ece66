"""What a model takes on disk, in memory and until it is ready: measured in a process of its own."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from time import perf_counter

import msgspec
import numpy as np

from slipform_runtime.build.errors import ToolFailed
from slipform_runtime.build.samples import Batch

_LIMIT_SECONDS = 900


class Footprint(msgspec.Struct, frozen=True, kw_only=True):
    """`size_bytes` of all its files; `peak_memory_bytes` is what loading it and one largest batch add to a process's
    resident memory on the host; `load_seconds` until it can execute, its library loaded before."""

    size_bytes: int
    load_seconds: float
    peak_memory_bytes: int


def footprint(target: str, path: Path, files: list[Path], batch: Batch, work: Path) -> Footprint:
    """Measure; raises ToolFailed where the process ends badly, which is what a server's would do."""
    inputs = work / "footprint.npz"
    texts = {name: array.astype(str) if array.dtype.kind == "O" else array for name, array in batch.items()}
    np.savez(inputs, **texts)  # type: ignore[arg-type]  # numpy's stub takes the names for its own options
    command = [sys.executable, "-m", __name__, target, str(path), str(inputs)]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise ToolFailed(f"{path.name} takes over {_LIMIT_SECONDS} s to load and answer once") from error
    if ended.returncode:
        said = ended.stderr.strip().splitlines()[-1:] or [f"no word, and code {ended.returncode}"]
        raise ToolFailed(f"{path.name} cannot be loaded and run in a process of its own: {said[0]}")
    found = json.loads(ended.stdout.splitlines()[-1])
    return Footprint(size_bytes=sum(file.stat().st_size for file in files), **found)


def _child(target: str, path: Path, inputs: Path) -> None:
    from slipform_runtime.build.targets.registry import target_for

    with np.load(inputs) as arrays:
        batch = {name: arrays[name] for name in arrays.files}
    made = target_for(target)
    for tool in made.tools:
        import_module(tool)  # what the library itself takes is not the model's
    idle = _peak_bytes()
    runner = made.load(path)
    runner.run(batch)
    peak = _peak_bytes() - idle
    runner.close()
    began = perf_counter()
    made.load(path)  # the second time, since the first also wakes the library
    loaded = round(perf_counter() - began, 4)
    sys.stdout.write(json.dumps({"load_seconds": loaded, "peak_memory_bytes": peak}) + "\n")


def _peak_bytes() -> int:
    """The largest resident size so far; from Linux's own file, since `ru_maxrss` outlives the parent's fork."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


if __name__ == "__main__":
    _child(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
