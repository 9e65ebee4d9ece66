"""Which parts of a ModelConfig this server does not follow: some it refuses, for the answers would be others; of the
rest, which concern speed or Triton's own workings, it says at loading that it leaves them aside.
"""

from collections.abc import Collection, Iterator
from typing import Any

from google.protobuf.message import Message

from slipform_runtime.errors import ModelLoadError

_REFUSED = {
    "sequence_batching": "sequence_batching is not supported by this server",
    "model_transaction_policy.decoupled": "decoupled models are not supported by this server",
    "input.allow_ragged_batch": "ragged batches are not supported by this server",
    "input.is_shape_tensor": "shape tensors are not supported by this server",
    "output.is_shape_tensor": "shape tensors are not supported by this server",
    "input.is_non_linear_format_io": "tensors in other than linear format are not supported by this server",
    "output.is_non_linear_format_io": "tensors in other than linear format are not supported by this server",
    "batch_input": "batch_input is not supported by this server",
    "batch_output": "batch_output is not supported by this server",
    "model_operations": "libraries of operators are not loaded by this server",
    "model_repository_agents": "repository agents are not supported by this server; `slipform-runtime fetch` verifies "
    "digests",
}

_LEFT_ASIDE = (
    "runtime",
    "input.optional",
    "optimization.graph",
    "optimization.priority",
    "optimization.cuda",
    "optimization.execution_accelerators",
    "optimization.input_pinned_memory",
    "optimization.output_pinned_memory",
    "optimization.gather_kernel_buffer_threshold",
    "optimization.eager_batching",
    "dynamic_batching.preserve_ordering",
    "ensemble_scheduling.max_inflight_requests",
    "ensemble_scheduling.step.model_namespace",
    "instance_group.rate_limiter",
    "instance_group.secondary_devices",
    "instance_group.profile",
    "instance_group.passive",
    "instance_group.host_policy",
    "cc_model_filenames",
    "metric_tags",
    "model_metrics",
)


def refuse_unsupported(config: Any) -> None:
    """Raise ModelLoadError where the config asks for what would change the answers."""
    for path, where in _set_fields(config):
        if path in _REFUSED:
            raise ModelLoadError(f"{where}{_REFUSED[path]}")


def left_aside(config: Any, followed: Collection[str]) -> list[str]:
    """The fields that are set and change nothing; `followed` are those that the model's backend does follow."""
    found = {path for path, _ in _set_fields(config) if path in _LEFT_ASIDE}
    found |= {f"parameters.{name}" for name in config.parameters}
    return sorted(found.difference(followed))


def _set_fields(message: Any, parents: str = "", where: str = "") -> Iterator[tuple[str, str]]:
    """Each field that is set, as a dotted path, with the tensor or group that it is of."""
    for field, value in message.ListFields():
        path = f"{parents}{field.name}"
        yield path, where
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        for part in (value,) if isinstance(value, Message) else value:
            name = getattr(part, "name", "")
            yield from _set_fields(part, f"{path}.", f"'{name}': " if name else where)
