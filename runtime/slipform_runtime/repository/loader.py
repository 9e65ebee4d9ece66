"""Loads one version: config, backend, instances, warm-up. It blocks, and runs in a thread."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

from slipform_runtime.backends.base import BackendInstance, Device
from slipform_runtime.backends.registry import backend_for
from slipform_runtime.cpus import available_cpus
from slipform_runtime.errors import ModelLoadError
from slipform_runtime.logs import log
from slipform_runtime.protos import ModelConfig
from slipform_runtime.repository.config import complete_config
from slipform_runtime.repository.reshaping import reshaped
from slipform_runtime.repository.support import left_aside
from slipform_runtime.repository.warmup import runs_inline, warm_up

_TRIES = 3
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 10.0
_WORTH_OF_THREADS = 1.5  # so many times as quick they must make a small model


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A version that is in memory and has answered its first inference."""

    config: Any
    instances: list[BackendInstance]
    inline: bool
    load_seconds: float


def load_version(folder: Path, version: int, config: Any) -> LoadedModel:
    """Load `<folder>/<version>`. A failure that another try may mend (the disk's, not the model's) is retried."""
    wait = _FIRST_WAIT_SECONDS
    for attempt in range(1, _TRIES + 1):
        try:
            return _load(folder, version, config)
        except OSError as error:
            if attempt == _TRIES:
                raise ModelLoadError(f"cannot read version {version}: {error.strerror or error}") from error
            log.warning("model_load_retried", model=config.name, model_version=str(version), error=str(error))
            sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT_SECONDS)
    raise AssertionError("unreachable")


def _load(folder: Path, version: int, given: Any) -> LoadedModel:
    began = perf_counter()
    config = ModelConfig()
    config.CopyFrom(given)
    files = folder / str(version)
    backend = backend_for(config, files)
    say_left_aside(config, backend.follows)
    path = files / (config.default_model_filename or backend.default_filename)
    if not path.is_file():
        raise ModelLoadError(f"version {version} has no file {path.name}")
    devices = _devices(config)
    first = backend.load(path, devices[0], config)
    complete_config(config, first.inputs, first.outputs)
    config.backend, config.platform = backend.name, backend.platform
    config.default_model_filename = path.name

    def load(device: Device) -> BackendInstance:
        return reshaped(backend.load(path, device, config), config)

    instances = [reshaped(first, config), *map(load, devices[1:])]
    seconds = max(warm_up(instance, config, folder) for instance in instances)
    inline = runs_inline(config, seconds)
    if inline and devices[0].kind == "cpu" and devices[0].threads > 1:
        instances = _with_one_thread(instances, seconds, load, config, folder)
    return LoadedModel(config, instances, inline, perf_counter() - began)


def say_left_aside(config: Any, followed: Collection[str]) -> None:
    """Log what the config sets and this server does not follow."""
    if fields := left_aside(config, followed):
        log.warning("config_left_aside", model=config.name, fields=fields)


def _with_one_thread(
    instances: list[BackendInstance],
    seconds: float,
    load: Callable[[Device], BackendInstance],
    config: Any,
    folder: Path,
) -> list[BackendInstance]:
    """The same instances on one thread each, where more are hardly quicker.

    A small model's runs are too short to share out: its threads mostly wait for each other to wake up, and take the
    processor from the clients and the other models meanwhile.
    """
    lean = [load(Device(threads=1)) for _ in instances]
    lean_seconds = max(warm_up(instance, config, folder) for instance in lean)
    kept = lean_seconds <= _WORTH_OF_THREADS * seconds and runs_inline(config, lean_seconds)
    for instance in instances if kept else lean:
        instance.close()
    return lean if kept else instances


def _devices(config: Any) -> list[Device]:
    """One device per instance of the config's groups; the CPU threads are shared out among them."""
    found: list[tuple[str, int]] = []
    for group in config.instance_group:
        kind = group.Kind.Name(group.kind)
        count = max(1, group.count)
        if kind == "KIND_GPU":
            found += [("gpu", index) for index in (group.gpus or [0]) for _ in range(count)]
        elif kind == "KIND_MODEL":
            raise ModelLoadError("instance_group kind KIND_MODEL is not supported by this server")
        else:
            found += [("cpu", 0)] * count
    found = found or [("cpu", 0)]
    threads = max(1, available_cpus() // len(found))
    return [Device(kind, index, threads) for kind, index in found]
