"""The messages of the Open Inference Protocol and of Triton's extensions to it.

They are built in a descriptor pool of our own, so that a program that also imports tritonclient (which
registers the same names in the global one) meets no conflict. `generate.py` makes the stored descriptors.
"""

from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_pool = DescriptorPool()
for _file in FileDescriptorSet.FromString(Path(__file__).with_name("inference.binpb").read_bytes()).file:
    _pool.AddSerializedFile(_file.SerializeToString())


def message(name: str) -> Any:
    """The message class of that name in the package `inference`, e.g. `ModelInferRequest`."""
    return GetMessageClass(_pool.FindMessageTypeByName(f"inference.{name}"))


ModelConfig = message("ModelConfig")
ModelInferRequest = message("ModelInferRequest")
ModelInferResponse = message("ModelInferResponse")
