"""A model's `config.pbtxt`: read, completed from the model itself as Triton does, and checked against it."""

from pathlib import Path
from typing import Any

from google.protobuf import text_format

from slipform_runtime.datatypes import FROM_CONFIG, TO_CONFIG
from slipform_runtime.errors import ModelLoadError
from slipform_runtime.inference import TensorSpec
from slipform_runtime.protos import ModelConfig
from slipform_runtime.repository.reshaping import models_dims
from slipform_runtime.repository.support import refuse_unsupported

# What Triton gives a model that can batch and whose config says nothing (--backend-config default-max-batch-size).
DEFAULT_MAX_BATCH_SIZE = 4


def read_config(model: Path) -> Any:
    """The ModelConfig in `model`, an empty one where there is no file; raises ModelLoadError or OSError."""
    path = model / "config.pbtxt"
    if not path.exists() and not path.is_symlink():  # a link to nothing is a config that is missing
        return parse_config("", model.name)
    try:
        return parse_config(path.read_text(encoding="utf-8"), model.name)
    except UnicodeDecodeError as error:
        raise ModelLoadError("config.pbtxt is not UTF-8 text") from error


def parse_config(text: str, name: str) -> Any:
    """The ModelConfig that `text` holds, for the model `name`."""
    try:
        config = text_format.Parse(text, ModelConfig())
    except text_format.ParseError as error:
        raise ModelLoadError(f"config.pbtxt:{error}") from error
    return check_config(config, name)


def check_config(config: Any, name: str) -> Any:
    """The same config, of the model `name`; raises ModelLoadError where this server cannot follow it."""
    if config.name and config.name != name:
        raise ModelLoadError(f"config.pbtxt names the model '{config.name}', its folder is '{name}'")
    config.name = name
    if config.max_batch_size < 0:
        raise ModelLoadError(f"max_batch_size is {config.max_batch_size}; it must be 0 or more")
    batching = config.dynamic_batching
    for level in batching.priority_queue_policy:
        if not 1 <= level <= batching.priority_levels:
            raise ModelLoadError(
                f"priority_queue_policy is for level {level}; the levels go from 1 to {batching.priority_levels}, "
                "which priority_levels says"
            )
    refuse_unsupported(config)
    for role, tensors in (("input", config.input), ("output", config.output)):
        _check_tensors(role, tensors)
    for group in config.instance_group:
        if group.count < 0 or (group.gpus and group.kind == group.KIND_CPU):
            raise ModelLoadError("instance_group: count must be 0 or more, and gpus are for KIND_GPU")
    if Path(config.default_model_filename).name != config.default_model_filename:
        raise ModelLoadError(f"default_model_filename '{config.default_model_filename}' is not the name of a file")
    return config


def _check_tensors(role: str, tensors: Any) -> None:
    names = set()
    for tensor in tensors:
        if tensor.name in names:
            raise ModelLoadError(f"config.pbtxt has {role} '{tensor.name}' twice")
        names.add(tensor.name)


def complete_config(config: Any, inputs: list[TensorSpec], outputs: list[TensorSpec]) -> None:
    """Fill what `config` leaves open from the model's own tensors (all axes, -1 dynamic), and check the rest."""
    _complete_batching(config, inputs, outputs)
    _complete_tensors(config, "input", config.input, inputs)
    _complete_tensors(config, "output", config.output, outputs)
    missing = {spec.name for spec in inputs} - {tensor.name for tensor in config.input}
    if missing:
        raise ModelLoadError(f"config.pbtxt leaves out the model's input '{min(missing)}'")
    if not config.instance_group:
        config.instance_group.add(name=config.name, kind="KIND_CPU", count=1)
    if not config.version_policy.WhichOneof("policy_choice"):
        config.version_policy.latest.num_versions = 1


def specs(tensors: Any) -> list[TensorSpec]:
    """The config's tensors, without the batch axis; raises ModelLoadError where a type is none of the protocol's."""
    return [TensorSpec(tensor.name, _datatype(tensor), tuple(tensor.dims)) for tensor in tensors]


def _datatype(tensor: Any) -> str:
    name = tensor.DESCRIPTOR.fields_by_name["data_type"].enum_type.values_by_number[tensor.data_type].name
    if name not in FROM_CONFIG:
        raise ModelLoadError(f"'{tensor.name}' is {name}, which this server does not serve")
    return FROM_CONFIG[name]


def _complete_batching(config: Any, inputs: list[TensorSpec], outputs: list[TensorSpec]) -> None:
    if config.max_batch_size or config.input or config.output:
        return
    if all(spec.dims and spec.dims[0] == -1 for spec in (*inputs, *outputs)):
        config.max_batch_size = DEFAULT_MAX_BATCH_SIZE
        if not config.HasField("dynamic_batching"):
            config.dynamic_batching.SetInParent()


def _complete_tensors(config: Any, role: str, tensors: Any, found: list[TensorSpec]) -> None:
    batched = config.max_batch_size > 0
    for spec in found:
        if batched and (not spec.dims or spec.dims[0] != -1):
            raise ModelLoadError(
                f"max_batch_size is {config.max_batch_size}, but {role} '{spec.name}' of the model has "
                f"shape {list(spec.dims)} without a dynamic first axis; set max_batch_size to 0"
            )
    known = {spec.name: spec for spec in found}
    if not tensors:
        for spec in found:
            dims = spec.dims[1:] if batched else spec.dims
            tensors.add(name=spec.name, data_type=TO_CONFIG[spec.datatype], dims=dims)
        return
    for tensor in tensors:
        if tensor.name not in known:
            raise ModelLoadError(f"config.pbtxt has {role} '{tensor.name}'; the model has {', '.join(sorted(known))}")
        _complete_tensor(tensor, role, known[tensor.name], batched)


def _complete_tensor(tensor: Any, role: str, spec: TensorSpec, batched: bool) -> None:
    dims = spec.dims[1:] if batched else spec.dims
    if not tensor.data_type:
        tensor.data_type = (
            tensor.DESCRIPTOR.fields_by_name["data_type"].enum_type.values_by_name[TO_CONFIG[spec.datatype]].number
        )
    if not tensor.dims and not tensor.HasField("reshape"):
        tensor.dims.extend(dims)
    datatype = specs([tensor])[0].datatype
    if datatype != spec.datatype:
        raise ModelLoadError(f"config.pbtxt has {role} '{tensor.name}' as {datatype}, the model as {spec.datatype}")
    given = models_dims(role, tensor)
    fits = len(given) == len(dims) and all(
        wanted in (own, -1) or own == -1 for wanted, own in zip(given, dims, strict=True)
    )
    if not fits:
        of_model = "reshape to" if tensor.HasField("reshape") else "dims"
        raise ModelLoadError(
            f"config.pbtxt has {role} '{tensor.name}' with {of_model} {list(given)}, the model {list(dims)}"
        )
