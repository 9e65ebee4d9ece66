"""The files of a server's pods: what its engine reads, and models that lie in the project."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes import core, meta

from ..engines.base import Server
from .platform import Platform


@dataclass(frozen=True)
class ServerFiles:
    """ConfigMaps by their names in the cluster; models of the project by the path of the version's folder."""

    config: pulumi.Output[str]
    project: Mapping[str, pulumi.Output[str]]


@dataclass(frozen=True)
class _Maker:
    name: str
    platform: Platform
    labels: Mapping[str, str]
    parent: pulumi.Resource

    def config_map(
        self, what: str, data: dict[str, str] | None = None, binary_data: dict[str, str] | None = None, path: str = ""
    ) -> pulumi.Output[str]:
        """Its name in the cluster holds its content's hash: pods that start late still find what they were made for.

        Of a model's files the hash is of their path as well: versions with the same bytes are resources of their own,
        and when one goes, it must not take the other's object with it.
        """
        content = sorted((data or binary_data or {}).items())
        short = hashlib.sha256(f"{path}{content!r}".encode()).hexdigest()[:10]
        made = core.v1.ConfigMap(
            f"{self.name}-{what}",
            metadata=meta.v1.ObjectMetaArgs(
                name=f"{self.name}-{short}", namespace=self.platform.namespace, labels=dict(self.labels)
            ),
            data=data,
            binary_data=binary_data,
            immutable=True,
            opts=self.platform.options(self.parent),
        )
        return made.metadata.name.apply(str)


def create_files(
    name: str,
    platform: Platform,
    server: Server,
    files: Mapping[str, str],
    project_files: Mapping[str, Mapping[str, bytes]],
    parent: pulumi.Resource,
) -> ServerFiles:
    """Those of one track of a server: its container's ``files``, and the project's by path, then by name."""
    make = _Maker(name, platform, platform.labels(server.name, server.spec, "server"), parent)
    config = make.config_map("config", data=dict(files))
    project = {}
    for path, contents in sorted(project_files.items()):
        binary = {file: base64.b64encode(content).decode() for file, content in sorted(contents.items())}
        project[path] = make.config_map(f"model-{path.replace('/', '-')}", binary_data=binary, path=path)
    return ServerFiles(config, project)
