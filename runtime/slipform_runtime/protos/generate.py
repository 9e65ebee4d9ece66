"""Take the protocol's descriptors from tritonclient: `python slipform_runtime/protos/generate.py`.

tritonclient is a development dependency only; what it publishes is stored beside this file.
"""

from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

TARGET = Path(__file__).with_name("inference.binpb")


def descriptors() -> bytes:
    """The serialized descriptors of Triton's `grpc_service.proto` and `model_config.proto`."""
    from tritonclient.grpc import model_config_pb2, service_pb2

    files = FileDescriptorSet()
    for module in (model_config_pb2, service_pb2):
        files.file.add().ParseFromString(module.DESCRIPTOR.serialized_pb)
    return files.SerializeToString(deterministic=True)


if __name__ == "__main__":
    TARGET.write_bytes(descriptors())
