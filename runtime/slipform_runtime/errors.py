"""What can go wrong with a request, each with its HTTP status, its gRPC code and its word in the metrics."""

from enum import StrEnum
from http import HTTPStatus


class Outcome(StrEnum):
    """How a request ended: the values of the label `status`."""

    SUCCESS = "success"
    INVALID = "invalid"
    FAILED = "failed"
    REJECTED = "rejected"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"


class GrpcStatus:
    """gRPC's status codes that this server answers."""

    OK = 0
    CANCELLED = 1
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14


class InferenceError(Exception):
    """A request that was not answered with tensors. Its text goes to the client: no paths, no internals."""

    http_status: int = HTTPStatus.INTERNAL_SERVER_ERROR
    grpc_status: int = GrpcStatus.INTERNAL
    outcome: Outcome = Outcome.FAILED
    retry_after_seconds: int | None = None


class InvalidRequest(InferenceError):
    """The client's fault."""

    http_status = HTTPStatus.BAD_REQUEST
    grpc_status = GrpcStatus.INVALID_ARGUMENT
    outcome = Outcome.INVALID


class NotFound(InvalidRequest):
    """No such route, model or version."""

    http_status = HTTPStatus.NOT_FOUND
    grpc_status = GrpcStatus.NOT_FOUND


class MethodNotAllowed(InvalidRequest):
    """The route exists, for another method."""

    http_status = HTTPStatus.METHOD_NOT_ALLOWED
    grpc_status = GrpcStatus.UNIMPLEMENTED

    def __init__(self, allowed: str) -> None:
        super().__init__(f"this route answers {allowed}")
        self.allowed = allowed


class RequestTooLarge(InvalidRequest):
    """More bytes than `request_limit_bytes`, before or after decompression."""

    http_status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    grpc_status = GrpcStatus.RESOURCE_EXHAUSTED


class UnsupportedEncoding(InvalidRequest):
    """A content encoding that the server does not read."""

    http_status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    grpc_status = GrpcStatus.UNIMPLEMENTED


class QueueFull(InferenceError):
    """As many requests wait as the model's queue policy lets."""

    http_status = HTTPStatus.TOO_MANY_REQUESTS
    grpc_status = GrpcStatus.RESOURCE_EXHAUSTED
    outcome = Outcome.REJECTED
    retry_after_seconds = 1


class Unavailable(InferenceError):
    """Nothing can serve this now: loading, unloading or draining."""

    http_status = HTTPStatus.SERVICE_UNAVAILABLE
    grpc_status = GrpcStatus.UNAVAILABLE
    outcome = Outcome.REJECTED
    retry_after_seconds: int | None = 1


class ControlRefused(Unavailable):
    """Loading or unloading where the server was not started for it: asking again is of no use."""

    retry_after_seconds = None

    def __init__(self) -> None:
        super().__init__(
            "load and unload need --model-control-mode explicit, and the management port where there is one"
        )


class DeadlineExceeded(InferenceError):
    """The request's deadline passed before an instance took it."""

    http_status = HTTPStatus.GATEWAY_TIMEOUT
    grpc_status = GrpcStatus.DEADLINE_EXCEEDED
    outcome = Outcome.TIMEOUT


class Cancelled(InferenceError):
    """The client went away."""

    http_status = 499  # nginx's: there is nobody to read it
    grpc_status = GrpcStatus.CANCELLED
    outcome = Outcome.CANCELLED


class ExecutionFailed(InferenceError):
    """The model raised, for this request alone."""


class OutOfMemory(ExecutionFailed):
    """The device had no memory for this batch."""


class ModelLoadError(Exception):
    """A model version that cannot be served. Its text is for the operator."""
