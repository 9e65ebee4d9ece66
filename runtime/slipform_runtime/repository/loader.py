"""Loads one version: config, backend, instances, warm-up. It blocks, and runs in a thread."""

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
from slipform_runtime.repository.warmup import runs_inline, warm_up

_TRIES = 3
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 10.0


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
    path = files / (config.default_model_filename or backend.default_filename)
    if not path.is_file():
        raise ModelLoadError(f"version {version} has no file {path.name}")
    devices = _devices(config)
    instances = [backend.load(path, devices[0], config)]
    complete_config(config, instances[0].inputs, instances[0].outputs)
    config.backend, config.platform = backend.name, backend.platform
    config.default_model_filename = path.name
    instances += [backend.load(path, device, config) for device in devices[1:]]
    seconds = max(warm_up(instance, config, folder) for instance in instances)
    return LoadedModel(config, instances, runs_inline(config, seconds), perf_counter() - began)


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
