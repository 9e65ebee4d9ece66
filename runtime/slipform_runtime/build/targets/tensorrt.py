"""TensorRT engines, with the precision in the graph itself: TensorRT 11 takes it from nowhere else."""

import os
from importlib import import_module
from pathlib import Path
from typing import Any

from slipform_runtime.backends.base import Device
from slipform_runtime.backends.tensorrt import TensorRTBackend, TensorRTInstance
from slipform_runtime.build import processor
from slipform_runtime.build.errors import BadInput, Missing, ToolFailed
from slipform_runtime.build.manifest import TensorRT
from slipform_runtime.build.onnxfile import save
from slipform_runtime.build.optimise import fold
from slipform_runtime.build.precision.convert import Plan, in_precision
from slipform_runtime.build.targets.base import Made, Runner
from slipform_runtime.datatypes import Tensor
from slipform_runtime.errors import InferenceError, ModelLoadError

FIRST_STRONGLY_TYPED = 11
"""The version from which every network takes its types from the graph; 10 is told to by a flag."""

_TRITON = "triton-"


class TensorRTRunner:
    """The bundled runtime's own backend, on the first GPU."""

    device = "cuda:0"

    def __init__(self, instance: TensorRTInstance) -> None:
        self._instance = instance

    def run(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Copy in, execute, copy out, wait."""
        try:
            return self._instance.run(inputs, None)
        except InferenceError as error:
            raise ToolFailed(str(error)) from error

    def close(self) -> None:
        """Give the device its memory back."""
        self._instance.close()


class TensorRTTarget:
    """An engine with one optimisation profile for each entry of the manifest's."""

    name = "tensorrt"
    tools: tuple[str, ...] = ("onnx", "onnxruntime", "tensorrt")

    def check(self, plan: Plan) -> None:
        """Every axis bounded, TensorRT here, its version the server's, the GPU the one that is asked for."""
        _profiles(plan)
        wanted = plan.manifest.tensorrt or TensorRT()
        _must_be_the_servers(wanted, _tensorrt().__version__)
        _must_be_the_gpu(wanted)

    def build(self, plan: Plan, to: Path) -> Made:
        """Parse the graph, tune, write the plan."""
        trt = _tensorrt()
        wanted = plan.manifest.tensorrt or TensorRT()
        model, steps = in_precision(fold(plan.model, plan.work), plan, symmetric=True)
        graph = plan.work / "for-tensorrt.onnx"
        save(model, graph)

        logger = trt.Logger(trt.Logger.WARNING)
        builder = trt.Builder(logger)
        network = _network(trt, builder, logger, graph)
        config = _config(trt, builder, wanted)
        entries = _profiles(plan)
        for sizes in entries:
            _add_profile(builder, config, sizes)
        cache = _cache_file(trt.__version__)
        _use_timing_cache(config, cache)
        engine = builder.build_serialized_network(network, config)
        if engine is None:
            raise ToolFailed(f"TensorRT {trt.__version__} builds no engine of this graph; its log says why")
        to.write_bytes(engine)
        _keep_timing_cache(config, cache)
        steps.append(f"engine for {processor.gpus()[0]} with {len(entries)} optimisation profiles")
        return Made(steps, _flags(wanted, entries))

    def load(self, path: Path) -> Runner:
        """Deserialise, on the first GPU."""
        try:
            return TensorRTRunner(TensorRTBackend().load(path, Device("gpu"), None))
        except (ModelLoadError, InferenceError) as error:
            raise ToolFailed(str(error)) from error


Sizes = dict[str, tuple[tuple[int, ...], ...]]
"""By input: the least, the tuned and the largest shape."""


def _profiles(plan: Plan) -> list[Sizes]:
    tensors = plan.signature
    return [
        {tensor.name: tensors.sizes(tensor, profile) for tensor in tensors.inputs}
        for profile in tensors.profiles or ({},)
    ]


def _network(trt: Any, builder: Any, logger: Any, graph: Path) -> Any:
    major = int(trt.__version__.split(".")[0])
    typed = 0 if major >= FIRST_STRONGLY_TYPED else 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(typed)
    parser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(str(graph)):
        errors = [parser.get_error(index) for index in range(parser.num_errors)]
        found = "; ".join(f"{error.node_operator()} (node '{error.node_name()}'): {error.desc()}" for error in errors)
        raise BadInput(f"TensorRT {trt.__version__} cannot take the model: {found or 'it does not say why'}")
    return network


def _config(trt: Any, builder: Any, wanted: TensorRT) -> Any:
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, wanted.workspace_bytes)
    if wanted.version_compatible:
        config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
    if wanted.hardware_compatible:
        config.hardware_compatibility_level = trt.HardwareCompatibilityLevel.AMPERE_PLUS
    return config


def _add_profile(builder: Any, config: Any, sizes: Sizes) -> None:
    profile = builder.create_optimization_profile()
    for name, (least, tuned, most) in sizes.items():
        profile.set_shape(name, least, tuned, most)
    if config.add_optimization_profile(profile) < 0:
        raise BadInput(f"TensorRT refuses the profile {sizes}: it contradicts the model's shapes")


def _use_timing_cache(config: Any, file: Path) -> None:
    """What an earlier build has timed is not timed again; one of another version or GPU is refused and left out."""
    known = file.read_bytes() if file.is_file() else b""
    if not config.set_timing_cache(config.create_timing_cache(known), ignore_mismatch=False):
        config.set_timing_cache(config.create_timing_cache(b""), ignore_mismatch=False)


def _keep_timing_cache(config: Any, file: Path) -> None:
    data = bytes(config.get_timing_cache().serialize())
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(f".{os.getpid()}")
    temporary.write_bytes(data)
    temporary.replace(file)


def _cache_file(version: str) -> Path:
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    gpu = processor.gpus()[0].split(",")[0].replace(" ", "-").lower()
    return root / "slipform" / f"tensorrt-{version}-{gpu}.timing"


def _flags(wanted: TensorRT, entries: list[Sizes]) -> dict[str, Any]:
    return {
        "strongly_typed": True,
        "workspace_bytes": wanted.workspace_bytes,
        "version_compatible": wanted.version_compatible,
        "hardware_compatible": wanted.hardware_compatible,
        "profiles": entries,
        "loader": wanted.loader,
    }


def _must_be_the_servers(wanted: TensorRT, version: str) -> None:
    """An engine loads in the TensorRT that built it, and in no other unless it was built to."""
    if wanted.version_compatible or not wanted.loader.startswith(_TRITON):
        return
    release, here = wanted.loader.removeprefix(_TRITON), os.environ.get("NVIDIA_TRITON_SERVER_VERSION")
    if here != release:
        place = f"that of Triton {here}" if here else "not that of a Triton image"
        raise BadInput(
            f"the engine is for Triton {release}, and the TensorRT here, {version}, is {place}; build in an image made "
            f"from nvcr.io/nvidia/tritonserver:{release}-py3, or set tensorrt.version_compatible"
        )


def _must_be_the_gpu(wanted: TensorRT) -> None:
    found = processor.gpus()
    if not found:
        raise Missing("target tensorrt tunes the engine on a GPU, and this machine shows none (nvidia-smi)")
    capability = found[0].rpartition(",")[2].strip()
    if wanted.compute_capability not in (None, capability) and not wanted.hardware_compatible:
        raise BadInput(
            f"the engine is for a GPU of compute capability {wanted.compute_capability}; this machine has {found[0]}"
        )


def _tensorrt() -> Any:
    try:
        return import_module("tensorrt")
    except ImportError as error:
        raise Missing(f"target tensorrt needs TensorRT ({error}); install slipform-runtime[tensorrt]") from error
