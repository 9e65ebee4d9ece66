"""Messages of other projects' formats, as far as they are read or written here; what isn't declared is skipped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Fields = Mapping[str, tuple[int, str]]
"""Each field's number and type: a scalar's name or another message's, ``*`` before it where it repeats."""

_SCALARS = ("int64", "int32", "bool", "string", "bytes")


def message_type(package: str, root: str, messages: Mapping[str, Fields]) -> Any:
    """The class of the message ``root`` among ``messages``."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    types: Any = descriptor_pb2.FieldDescriptorProto

    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto2")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            repeats, kind = kind.startswith("*"), kind.removeprefix("*")
            declared: Any = message.field.add(name=field, number=number)
            declared.label = types.LABEL_REPEATED if repeats else types.LABEL_OPTIONAL
            if kind in _SCALARS:
                declared.type = getattr(types, f"TYPE_{kind.upper()}")
            else:
                declared.type, declared.type_name = types.TYPE_MESSAGE, f".{package}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{root}"))
