"""A team's own code around the plain routes: a Python file with `preprocess` and/or `postprocess`.

    def preprocess(inputs):      # the JSON value of "inputs", as it was sent
        return {"image": …}      # a numpy array by input name (with the batch axis), or a JSON value as if it was sent

    def postprocess(outputs):    # a numpy array by output name, with the batch axis
        return …                 # any JSON value: it becomes "outputs"

They run in threads of their own: tensors of other requests flow past them.
"""

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from slipform_runtime.datatypes import Tensor
from slipform_runtime.errors import ExecutionFailed, InvalidRequest
from slipform_runtime.logs import log

_FUNCTIONS = ("preprocess", "postprocess")


class HandlerError(Exception):
    """A handler file that cannot be used."""


class Handler:
    """One file's functions; each may be missing."""

    def __init__(self, path: Path, threads: int = 4) -> None:
        module = _load(path)
        self._preprocess: Callable[[Any], Any] | None = getattr(module, "preprocess", None)
        self._postprocess: Callable[[dict[str, Tensor]], Any] | None = getattr(module, "postprocess", None)
        if not callable(self._preprocess) and not callable(self._postprocess):
            raise HandlerError(f"{path} defines neither preprocess nor postprocess")
        self._threads = ThreadPoolExecutor(threads, f"handler-{path.stem}")
        self._name = path.name

    @property
    def preprocesses(self) -> bool:
        """Whether inputs go through the handler."""
        return self._preprocess is not None

    @property
    def postprocesses(self) -> bool:
        """Whether outputs go through the handler."""
        return self._postprocess is not None

    async def preprocess(self, inputs: Any) -> Any:
        """Raises InvalidRequest where the handler raises ValueError: the client's fault, in the handler's words."""
        return await self._run(self._preprocess, inputs)

    async def postprocess(self, outputs: dict[str, Tensor]) -> Any:
        """Raises ExecutionFailed where the handler raises."""
        return await self._run(self._postprocess, outputs)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, function: Any, value: Any) -> Any:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, function, value)
        except ValueError as error:
            raise InvalidRequest(f"{self._name}: {error}") from error
        except Exception as error:
            log.error("handler_failed", handler=self._name, function=function.__name__, error=repr(error))
            raise ExecutionFailed(f"{self._name}: {function.__name__} failed") from error


def _load(path: Path) -> Any:
    spec = spec_from_file_location(f"slipform_handler_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise HandlerError(f"{path} is no Python file")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise HandlerError(f"{path}: {type(error).__name__}: {error}") from error
    return module
