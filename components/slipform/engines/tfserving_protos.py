"""TensorFlow Serving's configs as protobuf messages, as far as Slipform writes them.

The fields and numbers are those of tensorflow/serving 2.19 (config/model_server_config.proto,
config/monitoring_config.proto, config/file_system_storage_path_source.proto and
servables/tensorflow/session_bundle_config.proto). Its own Python package has them too, and wants TensorFlow itself.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2

PACKAGE = "tensorflow.serving"
_KINDS = {"string": 9, "bool": 8, "int64": 3}
"""Numbers of scalar types in FieldDescriptorProto."""
_MESSAGE, _OPTIONAL, _REPEATED = 11, 1, 3

_FIELDS: dict[str, dict[str, tuple[int, str]]] = {
    "Specific": {"versions": (1, "repeated int64")},
    "ServableVersionPolicy": {"specific": (102, "Specific")},
    "ModelConfig": {
        "name": (1, "string"),
        "base_path": (2, "string"),
        "model_platform": (4, "string"),
        "model_version_policy": (7, "ServableVersionPolicy"),
    },
    "ModelConfigList": {"config": (1, "repeated ModelConfig")},
    "ModelServerConfig": {"model_config_list": (1, "ModelConfigList")},
    "PrometheusConfig": {"enable": (1, "bool"), "path": (2, "string")},
    "MonitoringConfig": {"prometheus_config": (1, "PrometheusConfig")},
    "BatchingParameters": {
        "max_batch_size": (1, "google.protobuf.Int64Value"),
        "batch_timeout_micros": (2, "google.protobuf.Int64Value"),
        "max_enqueued_batches": (3, "google.protobuf.Int64Value"),
        "num_batch_threads": (4, "google.protobuf.Int64Value"),
        "thread_pool_name": (5, "google.protobuf.StringValue"),
        "allowed_batch_sizes": (6, "repeated int64"),
    },
}


def message(name: str) -> Any:
    """A new message of that name."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"{PACKAGE}.{name}"))()


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    """One of our own, so that TensorFlow Serving's own package can be imported beside it."""
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    file = descriptor_pb2.FileDescriptorProto(
        name="slipform/tfserving.proto", package=PACKAGE, syntax="proto3", dependency=[wrappers_pb2.DESCRIPTOR.name]
    )
    for name, fields in _FIELDS.items():
        made = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            label = _REPEATED if kind.startswith("repeated ") else _OPTIONAL
            kind = kind.removeprefix("repeated ")
            if kind in _KINDS:
                made.field.add(name=field, number=number, label=label, type=_KINDS[kind])
            else:
                of = f".{kind}" if "." in kind else f".{PACKAGE}.{kind}"
                made.field.add(name=field, number=number, label=label, type=_MESSAGE, type_name=of)
    pool.AddSerializedFile(file.SerializeToString())
    return pool
