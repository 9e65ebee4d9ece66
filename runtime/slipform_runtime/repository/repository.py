"""The models of a server: which versions are loaded, which one a request gets, and what is wrong with the rest.

A version that serves goes on serving until its successor is in memory and has answered its first inference. A version
that fails too often is taken out, and the best of those left on disk is loaded in its place.
"""

import asyncio
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slipform_runtime.batching.scheduler import Instance
from slipform_runtime.cache import ResponseCache
from slipform_runtime.defects import told
from slipform_runtime.ensemble import PLATFORM, EnsembleVersion
from slipform_runtime.errors import ModelLoadError, NotFound, Unavailable
from slipform_runtime.logs import log
from slipform_runtime.metrics.statistics import DEFAULT_LATENCY_BUCKETS_MS, VersionStatistics
from slipform_runtime.repository import layout
from slipform_runtime.repository.breaker import Breaker
from slipform_runtime.repository.config import check_config, read_config
from slipform_runtime.repository.labels import Labels, joined, read_labels
from slipform_runtime.repository.loader import LoadedModel, load_version, say_left_aside
from slipform_runtime.repository.served import ServedVersion
from slipform_runtime.repository.version import ModelVersion
from slipform_runtime.settings import Breaker as BreakerSettings


@dataclass(slots=True)
class Model:
    """One model: its versions that serve, and why others do not (by version, or `` for all)."""

    name: str
    versions: dict[int, ServedVersion] = field(default_factory=dict)
    latest: ServedVersion | None = None
    failures: dict[str, str] = field(default_factory=dict)
    loading: bool = False
    on_disk: layout.Fingerprint = field(default_factory=dict)
    config_given: bool = False
    """Whether a load request brought the config in place of the file's."""
    taken_out: dict[int, str] = field(default_factory=dict)
    statistics: dict[int, VersionStatistics] = field(default_factory=dict)
    load_failures: int = 0
    rollbacks: int = 0

    def serve(self, versions: dict[int, ServedVersion]) -> list[ServedVersion]:
        """Serve these from now on; those that are replaced."""
        replaced = [version for version in self.versions.values() if version not in versions.values()]
        self.versions = versions
        self.latest = versions[max(versions)] if versions else None
        return replaced


class ModelRepository:
    """Loads and unloads; everything but the loading itself belongs to the event loop's thread."""

    def __init__(
        self,
        root: Path,
        loop: asyncio.AbstractEventLoop,
        latency_buckets_ms: tuple[float, ...] = DEFAULT_LATENCY_BUCKETS_MS,
        drain_seconds: float = 30.0,
        cache: ResponseCache | None = None,
        breaker: BreakerSettings | None = None,
        labels: Mapping[str, Labels] | None = None,
    ) -> None:
        self.models: dict[str, Model] = {}
        self.cache = cache
        self._root = root
        self._loop = loop
        self._buckets = latency_buckets_ms
        self._drain_seconds = drain_seconds
        self._breaker = breaker or BreakerSettings()
        self._labels = labels or {}
        self._loader = ThreadPoolExecutor(1, "loader")
        self._one_at_a_time = asyncio.Lock()
        self._background: set[asyncio.Task[Any]] = set()

    # What requests ask.

    def get(self, name: str, version: str = "") -> ServedVersion:
        """The version that serves; without one named the latest. Raises NotFound or Unavailable."""
        model = self.models.get(name)
        if model is None:
            raise NotFound(f"there is no model '{name[:128]}' in this server")
        if not version:
            if model.latest is None:
                raise Unavailable(f"model '{name}' is not ready")
            return model.latest
        if not layout.is_version(version):
            raise NotFound(f"'{version[:32]}' is no version: a positive whole number without leading zeros is")
        served = model.versions.get(int(version))
        if served is None:
            if version in model.failures:
                raise Unavailable(f"version {version} of model '{name}' is not ready")
            raise NotFound(f"model '{name}' has no version {version} in this server")
        return served

    def all_versions(self) -> list[ServedVersion]:
        """Every version that serves, by model and number."""
        return [
            model.versions[version] for _, model in sorted(self.models.items()) for version in sorted(model.versions)
        ]

    @property
    def ready(self) -> bool:
        """Whether there are models and each has a version that serves."""
        return bool(self.models) and all(model.versions for model in self.models.values())

    def names_on_disk(self) -> list[str]:
        """The models in the folder, loaded or not."""
        return layout.model_names(self._root)

    # What the server and the repository extension do.

    async def load_all(self, names: list[str]) -> None:
        """Load these models, and what the ensembles among them are made of."""
        if odd := await self._in_loader(layout.odd_names, self._root):
            log.warning("folders_ignored", folders=odd, reason=f"a model's name has {layout.NAME_RULE}")
        for name in names:
            self.models.setdefault(name, Model(name, loading=True))
        for name in names:
            if not self.models[name].versions:  # else it was loaded as a part of an ensemble
                await self.load(name)

    async def load(self, name: str, config: Any = None, parents: tuple[str, ...] = ()) -> Model:
        """Load what the model's policy names and is new or changed, stop what it no longer names.

        `config` is a ModelConfig in place of the file's. What cannot be loaded is kept as a reason in `failures`. The
        models that an ensemble is made of are loaded before it, where they are not yet; `parents` are the ensembles
        for which this one is loaded so.
        """
        for part in await self._in_loader(self._parts, name, config):
            if part not in (*parents, name) and not (part in self.models and self.models[part].versions):
                await self.load(part, parents=(*parents, name))
        async with self._one_at_a_time:
            model = self.models.setdefault(name, Model(name))
            model.loading = True
            try:
                await self._load(model, config)
            finally:
                model.loading = False
            return model

    async def unload(self, name: str, *, parts: bool = False) -> None:
        """Stop a model: new requests are refused at once, queued ones are finished.

        With `parts` those that an ensemble is made of are stopped after it.
        """
        async with self._one_at_a_time:
            model = self.models.pop(name, None)
            if model is None:
                return
            versions = model.serve({})
            await asyncio.gather(*(self._retire(version) for version in versions))
        for version in versions if parts else ():
            for part in version.parts:
                await self.unload(part, parts=True)

    async def follow(self) -> None:
        """Bring the models in line with the folder."""
        on_disk = await self._in_loader(self.names_on_disk)
        for name in [name for name in self.models if name not in on_disk]:
            await self.unload(name)
        for name in on_disk:
            model = self.models.get(name)
            found = await self._in_loader(layout.fingerprint, self._root / name)
            if model is None or found != model.on_disk:
                await self.load(name)

    async def close(self) -> int:
        """Unload everything; how many requests were still executing when their time was up."""
        versions = self.all_versions()
        await asyncio.gather(*(self.unload(name) for name in list(self.models)))
        await asyncio.gather(*self._background, return_exceptions=True)
        self._loader.shutdown(wait=False, cancel_futures=True)
        return sum(version.executing for version in versions)

    def _parts(self, name: str, given: Any) -> list[str]:
        """The models of the folder that an ensemble is made of; none for another model."""
        try:
            config = given or read_config(self._root / name)
            on_disk = self.names_on_disk()
        except (ModelLoadError, OSError):
            return []  # said when it is loaded
        return [step.model_name for step in config.ensemble_scheduling.step if step.model_name in on_disk]

    async def _load(self, model: Model, given: Any) -> None:
        folder = self._root / model.name
        try:
            found = await self._in_loader(layout.fingerprint, folder)
            config = check_config(given, model.name) if given else await self._in_loader(read_config, folder)
        except Exception as error:
            self._failed(model, "", error)
            return
        changed = {part for part in {*found, *model.on_disk} if found.get(part) != model.on_disk.get(part)}
        if given is not None or model.config_given or "config" in changed:
            changed.update(found)
        model.config_given = given is not None
        model.on_disk = found
        model.failures = {}
        for version in [version for version in model.taken_out if str(version) in changed]:
            del model.taken_out[version]
        versions = [int(version) for version in found if version != "config"]
        if is_ensemble(config) and not versions:
            versions = [1]
        wanted = chosen_versions(config, [version for version in versions if version not in model.taken_out])
        if not wanted:
            on_disk = ", ".join(map(str, versions))
            reason = f"version_policy serves none of the versions {on_disk}" if versions else "there is no version"
            self._failed(model, "", ModelLoadError(f"{reason}; a folder is looked for, e.g. {model.name}/1"))
        await self._load_versions(model, folder, config, wanted, changed)

    async def _load_versions(
        self, model: Model, folder: Path, config: Any, wanted: list[int], changed: set[str]
    ) -> None:
        serving: dict[int, ServedVersion] = {}
        complete = True
        for version in wanted:
            if version in model.versions and str(version) not in changed:
                serving[version] = model.versions[version]
                continue
            try:
                serving[version] = await self._load_version(model, folder, version, config)
            except Exception as error:  # whatever it is, the other models are served
                complete = False
                self._failed(model, str(version), error)
        for version, reason in model.taken_out.items():
            model.failures[str(version)] = reason
        if not serving:
            return
        # What failed to load must not take away what serves.
        replaced = model.serve(serving if complete else {**model.versions, **serving})
        for old in replaced:
            self._run_in_background(self._retire(old))

    async def _load_version(self, model: Model, folder: Path, version: int, config: Any) -> ServedVersion:
        labels = await self._in_loader(read_labels, config, folder)
        statistics = model.statistics.setdefault(version, VersionStatistics(self._buckets))
        if is_ensemble(config):
            served = self._load_ensemble(version, config, statistics)
        else:
            served = await self._load_model(model, folder, version, config, statistics)
        outputs = [output.name for output in served.outputs]
        served.labels = joined(model.name, labels, self._labels.get(model.name, {}), outputs)
        return served

    async def _load_model(
        self, model: Model, folder: Path, version: int, config: Any, statistics: VersionStatistics
    ) -> ServedVersion:
        loaded: LoadedModel = await self._in_loader(load_version, folder, version, config)
        instances = [
            Instance(index, instance, threaded=not loaded.inline, name=f"{config.name}-{version}")
            for index, instance in enumerate(loaded.instances)
        ]
        try:
            served = ModelVersion(
                loaded.config,
                version,
                instances,
                self._loop,
                statistics,
                cache=self.cache,
                breaker=Breaker(self._breaker.failures, self._breaker.window_seconds),
                on_broken=lambda broken: self._run_in_background(self._roll_back(model, version, broken)),
            )
        except ValueError as error:
            raise ModelLoadError(f"config.pbtxt: {error}") from error
        statistics.load_seconds = loaded.load_seconds
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

    def _load_ensemble(self, version: int, config: Any, statistics: VersionStatistics) -> ServedVersion:
        served = EnsembleVersion(config, version, statistics, self.get)
        served.check_steps()
        say_left_aside(config, ())
        log.info("model_loaded", model=config.name, model_version=served.version, steps=[s.model for s in served.steps])
        return served

    async def _roll_back(self, model: Model, number: int, broken: ServedVersion) -> None:
        if model.versions.get(number) is not broken or number in model.taken_out:
            return
        reason = f"taken out after {self._breaker.failures} failed executions within {self._breaker.window_seconds:g} s"
        model.taken_out[number] = reason
        await self.load(model.name)
        if model.latest is not None and model.versions.get(number) is not broken:
            model.rollbacks += 1
            log.error(
                "version_rolled_back",
                model=model.name,
                model_version=str(number),
                serving=model.latest.version,
                reason=reason,
            )
        else:
            # Nothing else can serve: a version that sometimes fails is better than none.
            model.failures.pop(str(number), None)
            log.error("version_failing", model=model.name, model_version=str(number), reason="no other version loads")

    async def _retire(self, version: ServedVersion) -> None:
        await version.close(self._drain_seconds)
        log.info("model_unloaded", model=version.name, model_version=version.version)

    def _failed(self, model: Model, version: str, error: Exception) -> None:
        model.failures[version] = reason = _reason(error)
        model.load_failures += 1
        log.error("model_load_failed", model=model.name, model_version=version, error=reason)

    async def _in_loader(self, function: Any, *arguments: Any) -> Any:
        return await self._loop.run_in_executor(self._loader, function, *arguments)

    def _run_in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _reason(error: Exception) -> str:
    """What clients may read of it; the log has what nobody foresaw."""
    if isinstance(error, ModelLoadError):
        return str(error)
    if isinstance(error, OSError):
        return f"cannot read the model's folder: {error.strerror or type(error).__name__}"
    return str(told(error, "this model could not be loaded; the server's log says why"))


def is_ensemble(config: Any) -> bool:
    """Whether a config declares a pipeline."""
    return config.platform == PLATFORM or bool(config.ensemble_scheduling.step)


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
