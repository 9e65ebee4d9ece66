"""`grpc.health.v1.Health`, which Kubernetes' own gRPC probes ask.

https://github.com/grpc/grpc/blob/master/doc/health-checking.md. There is no Watch: a client that is told so takes the
server for healthy, as the document says.
"""

from collections.abc import Callable
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from slipform_runtime.errors import NotFound

CHECK = b"/grpc.health.v1.Health/Check"
_SERVICES = ("", "inference.GRPCInferenceService", "grpc.health.v1.Health")
_SERVING, _NOT_SERVING = 1, 2
_FIELD = descriptor_pb2.FieldDescriptorProto


def _message(name: str, field: str, kind: "descriptor_pb2.FieldDescriptorProto.Type.ValueType") -> Any:
    """A message of one field. The package has a name of our own: grpcio-health-checking registers the real one."""
    file = descriptor_pb2.FileDescriptorProto(name=f"slipform/{name}.proto", package="slipform.health", syntax="proto3")
    message = file.message_type.add(name=name)
    message.field.add(name=field, number=1, type=kind, label=_FIELD.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"slipform.health.{name}"))


HealthCheckRequest = _message("HealthCheckRequest", "service", _FIELD.TYPE_STRING)
_HealthCheckResponse = _message("HealthCheckResponse", "status", _FIELD.TYPE_INT32)  # an enum's bytes are an int32's


def check(ready: Callable[[], bool]) -> Callable[[Any], Any]:
    """The method: whether the server, which `ready` tells of, serves."""

    def answer(request: Any) -> Any:
        if request.service not in _SERVICES:
            raise NotFound(f"there is no service '{request.service[:100]}' in this server")
        return _HealthCheckResponse(status=_SERVING if ready() else _NOT_SERVING)

    return answer
