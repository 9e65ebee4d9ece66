"""The recording monitor: Pulumi's own test monitor, which answers as a preview does and keeps every request."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.mocks import MockMonitor, MockResourceArgs, Mocks
from pulumi.runtime.proto import provider_pb2, resource_pb2

from .places import PULUMI_PACKAGE
from .transforms import Transforms
from .values import SECRET, SIGNATURE, UNKNOWN, Decoder

STACK_TYPE = "pulumi:pulumi:Stack"


class DuplicateUrnError(Exception):
    """Two resources of the program would be one and the same for the engine."""


class _NoMocks(Mocks):
    """Never asked: the monitor below answers everything itself."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        raise NotImplementedError

    def call(self, args: Any) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise NotImplementedError


class RecordingMonitor(MockMonitor):
    """Answers each registration with its own inputs and an unknown id, which is what a preview of a create knows.

    The stock monitor is not asked to decode the inputs and encode them again: they go back as they came. Requests
    arrive on several threads; `records` is read only after the program has ended.
    """

    def __init__(self, project: str, stack: str, root: str, decoder: Decoder, warn: Any) -> None:
        super().__init__(_NoMocks())
        self.records: list[dict[str, Any]] = []
        self.stack_outputs: dict[str, Any] = {}
        self._project, self._stack, self._root = project, stack, root
        self._decoder, self._warn = decoder, warn
        self._by_urn: dict[str, dict[str, Any]] = {}
        self._asked: set[str] = set()
        self._lock = threading.Lock()
        self._transforms = Transforms()

    # -- resources ---------------------------------------------------------------------------------

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """The engine's rule: every ancestor's type but the stack's, joined by `$`."""
        parent_type = parent.split("::")[2] if parent else ""
        if parent_type and parent_type != STACK_TYPE:
            type_ = f"{parent_type}${type_}"
        return f"urn:pulumi:{self._stack}::{self._project}::{type_}::{name}"

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  the service's own name
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == STACK_TYPE:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        self._transforms.apply(urn, request)
        if request.remote:
            self._warn(
                f"{request.type} is built by its provider, which a plan does not start: its children are missing here",
                urn,
            )
        record = self._record(urn, request)
        record["custom"] = request.custom
        record["inputs"] = self._decoder.struct(request.object)
        record["options"] = self._options(request)
        self._add(urn, record)
        return resource_pb2.RegisterResourceResponse(urn=urn, object=_preview(request))

    def ReadResource(self, request: Any) -> Any:  # noqa: N802
        urn = self.make_urn(request.parent, request.type, request.name)
        record = self._record(urn, request)
        record["custom"] = True
        record["read"] = request.id
        record["inputs"] = self._decoder.struct(request.properties)
        self._add(urn, record)
        response = resource_pb2.ReadResourceResponse(urn=urn, properties=request.properties)
        if hasattr(response, "id"):  # SDKs that have it take an id that is absent for one that is unknown
            response.id = request.id
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        outputs = self._decoder.struct(request.outputs)
        with self._lock:
            record = self._by_urn.get(request.urn)
            if record is not None:
                record["outputs"] = outputs
            elif request.urn.split("::")[2] == STACK_TYPE:
                self.stack_outputs = outputs
        return empty_pb2.Empty()

    def _record(self, urn: str, request: Any) -> dict[str, Any]:
        return {
            "urn": urn,
            "type": request.type,
            "name": request.name,
            "parent": None if _is_stack(request.parent) else request.parent,
            "dependencies": sorted(request.dependencies),
            "provider": _provider_urn(request.provider),
            "source": self._source(request),
        }

    def _add(self, urn: str, record: dict[str, Any]) -> None:
        with self._lock:
            first = self._by_urn.setdefault(urn, record)
            if first is not record:
                raise DuplicateUrnError(
                    f"two resources have the URN {urn}: {first['source'] or 'unknown place'} and "
                    f"{record['source'] or 'unknown place'}; give one another name, or parents of different types"
                )
            self.records.append(record)

    def _options(self, request: Any) -> dict[str, Any]:
        options: dict[str, Any] = {
            "protect": request.protect,
            "ignore_changes": sorted(request.ignoreChanges),
            "replace_on_changes": sorted(request.replaceOnChanges),
            "retain_on_delete": request.retainOnDelete,
            "additional_secret_outputs": sorted(request.additionalSecretOutputs),
            "import_id": request.importId,
            "deleted_with": request.deletedWith,
            "replace_with": sorted(request.replace_with),
            "hide_diffs": sorted(request.hideDiffs),
            "version": request.version,
            "plugin_download_url": request.pluginDownloadURL,
            "providers": {package: _provider_urn(ref) for package, ref in sorted(request.providers.items())},
            "property_dependencies": {
                key: sorted(dependencies.urns)
                for key, dependencies in sorted(request.propertyDependencies.items())
                if dependencies.urns
            },
            "aliases": [_alias(alias) for alias in request.aliases],
            "custom_timeouts": {
                verb: getattr(request.customTimeouts, verb)
                for verb in ("create", "update", "delete")
                if getattr(request.customTimeouts, verb)
            },
        }
        if request.deleteBeforeReplaceDefined:
            options["delete_before_replace"] = request.deleteBeforeReplace
        if request.HasField("replacement_trigger"):
            options["replacement_trigger"] = self._decoder.value(request.replacement_trigger)
        return {key: value for key, value in options.items() if value or key == "delete_before_replace"}

    def _source(self, request: Any) -> str | None:
        """`file:line` of the first caller outside Pulumi's packages, relative to the project where it lies in it.

        Relative, so that a plan made elsewhere says the same.
        """
        for frame in request.stackTrace.frames:
            path = url2pathname(urlsplit(frame.pc.uri).path)
            if PULUMI_PACKAGE.search(path):
                continue
            place = Path(path)
            inside = place.is_relative_to(self._root)
            shown = place.relative_to(self._root) if inside else Path(*place.parts[-3:])
            return f"{shown.as_posix()}:{frame.pc.line}"
        return None

    # -- what only a provider or the engine could answer -------------------------------------------

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        if request.tok == "pulumi:pulumi:getResource":
            return self._get_resource(request)
        self._say_unanswered(request.tok)
        if "unknown" in resource_pb2.ResourceInvokeResponse.DESCRIPTOR.fields_by_name:
            return resource_pb2.ResourceInvokeResponse(unknown=True)
        return resource_pb2.ResourceInvokeResponse()

    def Call(self, request: Any) -> Any:  # noqa: N802
        self._say_unanswered(request.tok)
        return provider_pb2.CallResponse()

    def ExistsResource(self, request: Any) -> Any:  # noqa: N802
        self._say_unanswered(f"whether {request.type} {request.id} exists")
        return resource_pb2.ExistsResourceResponse(exists=False)

    def _get_resource(self, request: Any) -> Any:
        """A resource reference that was passed as an input comes back as the resource that it names."""
        urn = request.args.fields["urn"].string_value
        response = resource_pb2.ResourceInvokeResponse()
        getattr(response, "return").update({"urn": urn, "id": UNKNOWN, "state": {}})
        return response

    def _say_unanswered(self, question: str) -> None:
        with self._lock:
            asked = question in self._asked
            self._asked.add(question)
        if not asked:
            self._warn(
                f"the program asks a provider for {question}; a plan asks nobody, so the answer counts as unknown. "
                "A value from stack config would be known here",
                "",
            )

    def RegisterStackTransform(self, request: Any) -> Any:  # noqa: N802
        self._transforms.add_to_stack(request)
        return empty_pb2.Empty()


def _is_stack(urn: str) -> bool:
    return not urn or urn.split("::")[2] == STACK_TYPE


def _provider_urn(reference: str) -> str | None:
    """`urn::id` without its id, which no preview knows."""
    return reference.rpartition("::")[0] or None


def _alias(alias: Any) -> dict[str, Any]:
    if alias.WhichOneof("alias") == "urn":
        return {"urn": alias.urn}
    spec = alias.spec
    facts = {
        "name": spec.name,
        "type": spec.type,
        "stack": spec.stack,
        "project": spec.project,
        "parent": spec.parentUrn,
        "no_parent": spec.noParent,
    }
    return {key: value for key, value in facts.items() if value}


def _preview(request: Any) -> Any:
    """The state that the program gets to see: its inputs, plus what only the provider decides, as unknown."""
    autonamed = request.custom and request.type.startswith("kubernetes:") and _has_no_name(request.object)
    if not autonamed and not request.additionalSecretOutputs:
        return request.object
    state = struct_pb2.Struct()
    state.CopyFrom(request.object)
    if autonamed:
        state.fields["metadata"].struct_value.fields["name"].string_value = UNKNOWN
    for output in request.additionalSecretOutputs:
        if output in state.fields:
            sealed = struct_pb2.Struct()
            sealed.fields[SIGNATURE].string_value = SECRET
            sealed.fields["value"].CopyFrom(state.fields[output])
            state.fields[output].struct_value.CopyFrom(sealed)
    return state


def _has_no_name(inputs: Any) -> bool:
    if "kind" not in inputs.fields:
        return False
    metadata = inputs.fields["metadata"].struct_value.fields if "metadata" in inputs.fields else {}
    return "name" not in metadata and SIGNATURE not in metadata
