"""gRPC clients that go away, while their requests wait and while they run: nothing of theirs is left."""

from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from runtime_testing.holding import held
from runtime_testing.models import constant, put
from runtime_testing.serving import RunningServer
from runtime_testing.waiting import until
from slipform_runtime.protos import ModelInferRequest

Serve = Callable[..., RunningServer]
COUNT = 5


@pytest.fixture
def server(repository: Path, serve: Serve) -> RunningServer:
    put(repository, "m", constant(1.0), "max_batch_size: 1")
    return serve(repository)


@pytest.fixture
def channel(server: RunningServer) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as open_channel:
        yield open_channel


def request() -> bytes:
    message = ModelInferRequest(model_name="m")
    message.inputs.add(name="x", datatype="FP32", shape=[1, 1])
    message.raw_input_contents.append(bytes(4))
    encoded: bytes = message.SerializeToString()
    return encoded


def wait_for_active(server: RunningServer, count: int) -> None:
    until(lambda: server.metric("model_active_requests", model="m") == count)


def assert_all_are_forgotten(server: RunningServer) -> None:
    """The one that runs, which the test holds, and those that wait for it."""
    wait_for_active(server, 0)
    assert server.metric("inference_queue_length", model="m") == 0
    assert server.metric("inference_requests_total", model="m", status="cancelled") == COUNT


def test_calls_that_are_cancelled_are_forgotten(server: RunningServer, channel: grpc.Channel) -> None:
    infer = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
    with held(server, "m"):
        calls = [infer.future(request()) for _ in range(COUNT)]
        wait_for_active(server, COUNT)
        for call in calls:
            call.cancel()
        assert_all_are_forgotten(server)
    assert infer(request())


def test_a_stream_that_is_cancelled_is_forgotten(server: RunningServer, channel: grpc.Channel) -> None:
    infer = channel.stream_stream("/inference.GRPCInferenceService/ModelStreamInfer")
    with held(server, "m"):
        call = infer(iter([request()] * COUNT))
        wait_for_active(server, COUNT)
        call.cancel()
        assert_all_are_forgotten(server)


def test_a_connection_that_is_lost_is_forgotten(server: RunningServer, channel: grpc.Channel) -> None:
    infer = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
    with held(server, "m"):
        calls = [infer.future(request()) for _ in range(COUNT)]
        wait_for_active(server, COUNT)
        channel.close()
        assert_all_are_forgotten(server)
    assert not any(call.code() is grpc.StatusCode.OK for call in calls)
