"""The GPUs' memory, by NVIDIA's management library where the extra `gpu` brings it."""

from functools import cache
from importlib import import_module
from typing import Any


def used_megabytes() -> dict[str, float]:
    """Megabytes in use, by the GPU's number; nothing where there is no GPU."""
    library = _library()
    if library is None:
        return {}
    handles = {str(index): library.nvmlDeviceGetHandleByIndex(index) for index in range(library.nvmlDeviceGetCount())}
    return {index: library.nvmlDeviceGetMemoryInfo(handle).used / 2**20 for index, handle in handles.items()}


@cache
def _library() -> Any:
    try:
        library = import_module("pynvml")
        library.nvmlInit()
    except Exception:  # not installed, or no driver
        return None
    return library
