"""A provider plugin's process and the part of its protocol that every stand-in shares."""

import signal
import sys
from collections.abc import Iterable
from concurrent import futures
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2
from tests.cluster.standin.wire import Data, Difference, decode, differences, encode

_KINDS = {
    ("add", False): provider_pb2.PropertyDiff.ADD,
    ("add", True): provider_pb2.PropertyDiff.ADD_REPLACE,
    ("delete", False): provider_pb2.PropertyDiff.DELETE,
    ("delete", True): provider_pb2.PropertyDiff.DELETE_REPLACE,
    ("update", False): provider_pb2.PropertyDiff.UPDATE,
    ("update", True): provider_pb2.PropertyDiff.UPDATE_REPLACE,
}


class PartialFailure(Exception):
    """The resource exists but is not as it should be: the engine keeps it in the state, with the reason."""

    def __init__(self, resource_id: str, state: Data, inputs: Data, reason: str) -> None:
        super().__init__(reason)
        self.detail = provider_pb2.ErrorResourceInitFailed(
            id=resource_id, properties=encode(state), inputs=encode(inputs), reasons=[reason]
        )


class StandIn(provider_pb2_grpc.ResourceProviderServicer):
    """What a stand-in answers; subclasses say what a resource's life means."""

    version = "0.0.0"

    def configure(self, arguments: Data) -> None: ...

    def check(self, inputs: Data) -> Data:
        """The inputs as the plugin has them in the state."""
        return inputs

    def another_place(self, old: Data, new: Data) -> list[str]:
        """Which of the provider's own changed settings replace all that it made."""
        return []

    def changes(self, old_inputs: Data, state: Data, new: Data, request: Any) -> Iterable[Difference]:
        """Where the resource is to differ from what it is; ignored changes are already out of `new`."""
        return differences(old_inputs, new)

    def replaces(self, found: Difference, new: Data, resource_type: str) -> bool:
        """Whether a change replaces the resource."""
        raise NotImplementedError

    def same_name(self, old: Data, new: Data) -> bool:
        """Whether the new resource would collide with the old, so that the old must go first."""
        raise NotImplementedError

    def create(self, inputs: Data, request: Any) -> tuple[str, Data]:
        raise NotImplementedError

    def read(self, resource_id: str, inputs: Data, state: Data) -> tuple[Data, Data] | None:
        """The resource's state and inputs as they are now, or None where it is gone."""
        raise NotImplementedError

    def update(self, resource_id: str, state: Data, inputs: Data, request: Any) -> Data:
        """The resource's state after an update; of the old one, `state` is given."""
        raise NotImplementedError

    def preview_update(self, state: Data, inputs: Data) -> Data:
        """What a preview knows of the state after an update."""
        return inputs

    def delete(self, resource_id: str, state: Data, timeout: float) -> None:
        raise NotImplementedError

    # The protocol.

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        return plugin_pb2.PluginInfo(version=self.version)

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        old, new = decode(request.olds), decode(request.news)
        kind = provider_pb2.DiffResponse.DIFF_SOME if old != new else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=kind, replaces=self.another_place(old, new))

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.configure(decode(request.args))
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.CheckResponse(inputs=encode(self.check(decode(request.news))))

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        old, new = decode(request.old_inputs), decode(request.news)
        found = list(self.changes(old, decode(request.olds), new, request))
        replacing = [each.path for each in found if self.replaces(each, new, request.type)]
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if found else provider_pb2.DiffResponse.DIFF_NONE,
            diffs=[each.path for each in found],
            replaces=replacing,
            deleteBeforeReplace=bool(replacing) and self.same_name(old, new),
            hasDetailedDiff=True,
            detailedDiff={
                each.path: provider_pb2.PropertyDiff(kind=_KINDS[each.kind, each.path in replacing], inputDiff=True)
                for each in found
            },
        )

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        inputs = decode(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=request.properties)
        with _failures_told(context):
            resource_id, state = self.create(inputs, request)
            return provider_pb2.CreateResponse(id=resource_id, properties=encode(state))

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        with _failures_told(context):
            found = self.read(request.id, decode(request.inputs), decode(request.properties))
            if found is None:
                return provider_pb2.ReadResponse()
            state, inputs = found
            return provider_pb2.ReadResponse(id=request.id, properties=encode(state), inputs=encode(inputs))

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        state, inputs = decode(request.olds), decode(request.news)
        if request.preview:
            return provider_pb2.UpdateResponse(properties=encode(self.preview_update(state, inputs)))
        with _failures_told(context):
            return provider_pb2.UpdateResponse(properties=encode(self.update(request.id, state, inputs, request)))

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:
        with _failures_told(context):
            self.delete(request.id, decode(request.properties), request.timeout)
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        return empty_pb2.Empty()


class _failures_told:  # noqa: N801 - reads as a statement
    """Turns exceptions into the statuses that the engine understands."""

    def __init__(self, context: grpc.ServicerContext) -> None:
        self._context = context

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, PartialFailure):
            status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error))
            status.details.add().Pack(error.detail)
            self._context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        if error is not None:
            self._context.abort(grpc.StatusCode.UNKNOWN, str(error))


def serve(provider: StandIn) -> None:
    """Runs the plugin until the engine ends it; the engine reads the port from standard output."""
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=32), options=[("grpc.max_receive_message_length", 1 << 28)]
    )
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    signal.signal(signal.SIGTERM, lambda *_: server.stop(grace=1))
    server.wait_for_termination()
