"""gRPC clients that go away, while their requests wait and while they run: nothing of theirs is left."""

from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from runtime_testing.models import put, slow
from runtime_testing.serving import RunningServer
from slipform_runtime.protos import ModelInferRequest

Serve = Callable[..., RunningServer]
COUNT = 5


@pytest.fixture
def server(repository: Path, serve: Serve) -> RunningServer:
    put(repository, "slow", slow(loops=150), "max_batch_size: 1")
    return serve(repository)


@pytest.fixture
def channel(server: RunningServer) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as open_channel:
        yield open_channel


def request() -> bytes:
    message = ModelInferRequest(model_name="slow")
    message.inputs.add(name="x", datatype="FP32", shape=[1, 1])
    message.raw_input_contents.append(bytes(4))
    encoded: bytes = message.SerializeToString()
    return encoded


def wait_for_active(server: RunningServer, count: int) -> None:
    while server.metric("model_active_requests", model="slow") != count:
        pass


def assert_all_are_counted(server: RunningServer) -> None:
    wait_for_active(server, 0)
    assert server.metric("inference_queue_length", model="slow") == 0
    counted = [
        server.metric("inference_requests_total", model="slow", status=status) for status in ("success", "cancelled")
    ]
    assert sum(value or 0 for value in counted) == COUNT
    assert counted[1]


def test_calls_that_are_cancelled_are_forgotten(server: RunningServer, channel: grpc.Channel) -> None:
    infer = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
    calls = [infer.future(request()) for _ in range(COUNT)]
    wait_for_active(server, COUNT)
    for call in calls:
        call.cancel()
    assert_all_are_counted(server)
    assert infer(request())


def test_a_stream_that_is_cancelled_is_forgotten(server: RunningServer, channel: grpc.Channel) -> None:
    infer = channel.stream_stream("/inference.GRPCInferenceService/ModelStreamInfer")
    call = infer(iter([request()] * COUNT))
    wait_for_active(server, COUNT)
    call.cancel()
    assert_all_are_counted(server)


def test_a_connection_that_is_lost_is_forgotten(server: RunningServer, channel: grpc.Channel) -> None:
    infer = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
    calls = [infer.future(request()) for _ in range(COUNT)]
    wait_for_active(server, COUNT)
    channel.close()
    assert_all_are_counted(server)
    assert not all(call.code() is grpc.StatusCode.OK for call in calls)
