"""TensorFlow Serving's configs as protobuf messages, as far as Slipform writes them.

The fields and numbers are those of tensorflow/serving, the same from 2.16 to 2.20 (config/model_server_config.proto,
config/monitoring_config.proto, config/file_system_storage_path_source.proto and
servables/tensorflow/session_bundle_config.proto). Its own Python package wants TensorFlow itself.
"""

from __future__ import annotations

from typing import Any

from ..protobuf import Fields, message_type

MESSAGES: dict[str, Fields] = {
    "Int64Value": {"value": (1, "int64")},
    "StringValue": {"value": (1, "string")},
    "Specific": {"versions": (1, "*int64")},
    "ServableVersionPolicy": {"specific": (102, "Specific")},
    "ModelConfig": {
        "name": (1, "string"),
        "base_path": (2, "string"),
        "model_platform": (4, "string"),
        "model_version_policy": (7, "ServableVersionPolicy"),
    },
    "ModelConfigList": {"config": (1, "*ModelConfig")},
    "ModelServerConfig": {"model_config_list": (1, "ModelConfigList")},
    "PrometheusConfig": {"enable": (1, "bool"), "path": (2, "string")},
    "MonitoringConfig": {"prometheus_config": (1, "PrometheusConfig")},
    "BatchingParameters": {
        "max_batch_size": (1, "Int64Value"),
        "batch_timeout_micros": (2, "Int64Value"),
        "max_enqueued_batches": (3, "Int64Value"),
        "num_batch_threads": (4, "Int64Value"),
        "thread_pool_name": (5, "StringValue"),
        "allowed_batch_sizes": (6, "*int64"),
    },
}


def message(name: str) -> Any:
    """A new message of that name."""
    return message_type("slipform.tfserving", name, MESSAGES)()
