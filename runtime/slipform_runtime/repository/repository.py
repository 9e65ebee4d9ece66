"""The models of a server: which versions are loaded, which one a request gets, and what is wrong with the rest."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slipform_runtime.batching.scheduler import Instance
from slipform_runtime.errors import ModelLoadError, NotFound, Unavailable
from slipform_runtime.logs import log
from slipform_runtime.metrics.statistics import DEFAULT_LATENCY_BUCKETS_MS, VersionStatistics
from slipform_runtime.repository import layout
from slipform_runtime.repository.config import read_config
from slipform_runtime.repository.loader import LoadedModel, load_version
from slipform_runtime.repository.version import ModelVersion


@dataclass(slots=True)
class Model:
    """One model: its versions that serve, and why the others do not (by version, or `` for all)."""

    name: str
    versions: dict[int, ModelVersion] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    loading: bool = False

    @property
    def latest(self) -> ModelVersion | None:
        """The highest version that serves."""
        return self.versions[max(self.versions)] if self.versions else None


class ModelRepository:
    """Loads and unloads; everything but the loading itself belongs to the event loop's thread."""

    def __init__(
        self,
        root: Path,
        loop: asyncio.AbstractEventLoop,
        latency_buckets_ms: tuple[float, ...] = DEFAULT_LATENCY_BUCKETS_MS,
        drain_seconds: float = 30.0,
    ) -> None:
        self.models: dict[str, Model] = {}
        self._root = root
        self._loop = loop
        self._buckets = latency_buckets_ms
        self._drain_seconds = drain_seconds
        self._loader = ThreadPoolExecutor(1, "loader")

    # What requests ask.

    def get(self, name: str, version: str = "") -> ModelVersion:
        """The version that serves; without one named the latest. Raises NotFound or Unavailable."""
        model = self.models.get(name)
        if model is None:
            raise NotFound(f"there is no model '{name}' in this server")
        if not version:
            if model.latest is None:
                raise Unavailable(f"model '{name}' is not ready")
            return model.latest
        if not layout.is_version(version):
            raise NotFound(f"'{version}' is no version: a positive whole number without leading zeros is")
        served = model.versions.get(int(version))
        if served is None:
            if version in model.failures:
                raise Unavailable(f"version {version} of model '{name}' is not ready")
            raise NotFound(f"model '{name}' has no version {version} in this server")
        return served

    def all_versions(self) -> list[ModelVersion]:
        """Every version that serves, by model and number."""
        return [
            model.versions[version] for _, model in sorted(self.models.items()) for version in sorted(model.versions)
        ]

    @property
    def ready(self) -> bool:
        """Whether there are models and each has a version that serves."""
        return bool(self.models) and all(model.versions for model in self.models.values())

    # What the server does.

    def names_on_disk(self) -> list[str]:
        """The models in the folder, loaded or not."""
        return layout.model_names(self._root)

    async def load(self, name: str) -> Model:
        """Load the versions that the model's policy names and unload the others; what fails is kept as a reason.

        A version that serves goes on serving until its successor is warm.
        """
        model = self.models.setdefault(name, Model(name))
        model.loading = True
        try:
            await self._load(model)
        finally:
            model.loading = False
        return model

    async def unload(self, name: str) -> None:
        """Stop a model: new requests are refused at once, queued ones are finished."""
        model = self.models.pop(name)
        await asyncio.gather(*(self._retire(version) for version in model.versions.values()))

    async def close(self) -> None:
        """Unload everything."""
        await asyncio.gather(*(self.unload(name) for name in list(self.models)))
        self._loader.shutdown(wait=False, cancel_futures=True)

    async def _load(self, model: Model) -> None:
        folder = self._root / model.name
        failures: dict[str, str] = {}
        try:
            config = read_config(folder)
            wanted = chosen_versions(config, layout.versions(folder))
        except (ModelLoadError, OSError) as error:
            model.failures = {"": str(error)}
            log.error("model_load_failed", model=model.name, error=str(error))
            return
        if not wanted:
            failures[""] = f"model '{model.name}' has no version folder, e.g. {model.name}/1"
            log.error("model_load_failed", model=model.name, error=failures[""])
        loaded: dict[int, ModelVersion] = {}
        for version in wanted:
            try:
                loaded[version] = await self._load_version(folder, version, config)
            except ModelLoadError as error:
                failures[str(version)] = str(error)
                log.error("model_load_failed", model=model.name, model_version=str(version), error=str(error))
        model.failures = failures
        if loaded or not wanted:
            replaced = list(model.versions.values())
            model.versions = loaded
            await asyncio.gather(*(self._retire(version) for version in replaced))

    async def _load_version(self, folder: Path, version: int, config: Any) -> ModelVersion:
        loaded: LoadedModel = await self._loop.run_in_executor(self._loader, load_version, folder, version, config)
        instances = [
            Instance(index, instance, threaded=not loaded.inline, name=f"{config.name}-{version}")
            for index, instance in enumerate(loaded.instances)
        ]
        try:
            served = ModelVersion(loaded.config, version, instances, self._loop, VersionStatistics(self._buckets))
        except ValueError as error:
            raise ModelLoadError(f"config.pbtxt: {error}") from error
        served.statistics.load_seconds = loaded.load_seconds
        log.info(
            "model_loaded",
            model=config.name,
            model_version=served.version,
            load_seconds=round(loaded.load_seconds, 3),
            instances=len(instances),
            runs_on="loop" if loaded.inline else "threads",
            max_batch_size=loaded.config.max_batch_size,
        )
        return served

    async def _retire(self, version: ModelVersion) -> None:
        await version.scheduler.close(self._drain_seconds)
        log.info("model_unloaded", model=version.name, model_version=version.version)


def chosen_versions(config: Any, found: list[int]) -> list[int]:
    """The versions that the config's `version_policy` serves, of those on disk; the latest one by default."""
    policy = config.version_policy
    match policy.WhichOneof("policy_choice"):
        case "all":
            return found
        case "specific":
            return [version for version in found if version in policy.specific.versions]
        case _:
            return found[-max(1, policy.latest.num_versions) :]
