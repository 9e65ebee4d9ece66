"""The stored descriptors are those that tritonclient publishes."""

from slipform_runtime import protos
from slipform_runtime.protos.generate import descriptors


def test_the_stored_descriptors_have_every_field_that_tritonclients_have() -> None:
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    for file in FileDescriptorSet.FromString(descriptors()).file:
        for message in file.message_type:
            ours = protos.message(message.name).DESCRIPTOR
            assert {field.name: field.number for field in message.field}.items() <= {
                field.name: field.number for field in ours.fields
            }.items()
