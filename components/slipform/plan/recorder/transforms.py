"""Runs the transforms that a program declares (`ResourceOptions.transforms`), as the engine does and in its order."""

from __future__ import annotations

import asyncio
from typing import Any

from pulumi.runtime._callbacks import _CallbackServicer
from pulumi.runtime.proto import resource_pb2

# TransformResourceOptions' field: RegisterResourceRequest's field, where a transform's word replaces the request's.
_LISTS = {
    "depends_on": "dependencies",
    "ignore_changes": "ignoreChanges",
    "replace_on_changes": "replaceOnChanges",
    "additional_secret_outputs": "additionalSecretOutputs",
    "aliases": "aliases",
    "replace_with": "replace_with",
}
_SCALARS = {
    "protect": "protect",
    "version": "version",
    "provider": "provider",
    "plugin_download_url": "pluginDownloadURL",
    "retain_on_delete": "retainOnDelete",
    "deleted_with": "deletedWith",
    "import": "importId",
}


class Transforms:
    """A resource's own transforms run first, then its ancestors', nearest first, then the stack's.

    https://github.com/pulumi/pulumi/blob/master/pkg/resource/deploy/source_eval.go, `RegisterResource`.
    """

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._of: dict[str, list[Any]] = {}
        self._parent: dict[str, str] = {}

    def add_to_stack(self, callback: Any) -> None:
        self._stack.append(callback)

    def apply(self, urn: str, request: Any) -> None:
        """Changes the request's properties and options in place. Costs nothing where no transform is declared."""
        own = list(request.transforms)
        self._parent[urn] = request.parent
        if own:
            self._of[urn] = own
        if not self._stack and not self._of:
            return
        inherited: list[Any] = []
        ancestor = request.parent
        while ancestor:
            inherited += self._of.get(ancestor, [])
            ancestor = self._parent.get(ancestor, "")
        for callback in (*own, *inherited, *self._stack):
            _run(callback, request)


def _run(callback: Any, request: Any) -> None:
    servicer = next(each for each in _CallbackServicer._servicers if callback.token in each._callbacks)
    transform = servicer._callbacks[callback.token]
    question = resource_pb2.TransformRequest(
        type=request.type,
        name=request.name,
        custom=request.custom,
        parent=request.parent,
        properties=request.object,
        options=_options(request),
    )
    # Monitor calls arrive on worker threads; the transform belongs to the program's event loop.
    future = asyncio.run_coroutine_threadsafe(_awaited(transform(question.SerializeToString())), servicer._loop)
    answer: Any = future.result()
    request.object.CopyFrom(answer.properties)
    if answer.HasField("options"):
        _take_options(answer.options, request)


async def _awaited(answer: Any) -> Any:
    return await answer


def _options(request: Any) -> Any:
    options = resource_pb2.TransformResourceOptions()
    for theirs, ours in _LISTS.items():
        getattr(options, theirs).extend(getattr(request, ours))
    for theirs, ours in _SCALARS.items():
        setattr(options, theirs, getattr(request, ours))
    if request.deleteBeforeReplaceDefined:
        options.delete_before_replace = request.deleteBeforeReplace
    if request.HasField("customTimeouts"):
        options.custom_timeouts.CopyFrom(request.customTimeouts)
    for package, provider in request.providers.items():
        options.providers[package] = provider
    return options


def _take_options(options: Any, request: Any) -> None:
    for theirs, ours in _LISTS.items():
        field = getattr(request, ours)
        del field[:]
        field.extend(getattr(options, theirs))
    for theirs, ours in _SCALARS.items():
        setattr(request, ours, getattr(options, theirs))
    if options.HasField("delete_before_replace"):
        request.deleteBeforeReplace = options.delete_before_replace
        request.deleteBeforeReplaceDefined = True
    if options.HasField("custom_timeouts"):
        request.customTimeouts.CopyFrom(options.custom_timeouts)
