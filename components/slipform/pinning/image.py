"""An image's name in its parts, by the rules of Docker's own reference grammar."""

from __future__ import annotations

import re
from dataclasses import dataclass

DOCKER_HUB = "docker.io"
_API_OF_DOCKER_HUB = "registry-1.docker.io"
_NAME = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._/:-]*?)(:(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(@(?P<digest>sha256:[0-9a-f]{64}))?"
)
NO_DIGEST = f"sha256:{'0' * 64}"
"""What stands in a new repository's stacks for an image that nobody has pushed yet."""


@dataclass(frozen=True)
class Image:
    """``registry/repository[:tag][@digest]``; without tag and digest, the tag ``latest`` is meant."""

    written: str  # registry and repository as the user wrote them
    registry: str
    repository: str
    tag: str | None
    digest: str | None

    @classmethod
    def parse(cls, text: str) -> Image | None:
        """None where the text is no image's name."""
        found = _NAME.fullmatch(text)
        if found is None:
            return None
        name = found["name"]
        first, slash, rest = name.partition("/")
        if slash and ("." in first or ":" in first or first == "localhost"):
            registry, repository = first, rest
        else:
            registry, repository = DOCKER_HUB, name if slash else f"library/{name}"
        if not re.fullmatch(r"[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*", repository):
            return None
        digest = None if found["digest"] == NO_DIGEST else found["digest"]
        return cls(name, registry, repository, found["tag"], digest)

    @property
    def moving(self) -> str | None:
        """The tag that the digest is held against; None where only the digest is written."""
        return self.tag or (None if self.digest else "latest")

    @property
    def api(self) -> str:
        """Where the registry's API is; one on this machine speaks plain HTTP, as Docker takes it."""
        host = _API_OF_DOCKER_HUB if self.registry == DOCKER_HUB else self.registry
        local = host.partition(":")[0] in ("localhost", "127.0.0.1")
        return f"{'http' if local else 'https'}://{host}/v2/{self.repository}"

    def at(self, digest: str) -> str:
        """The name with this digest; the tag stays, so that people see what it was and a check can ask for it."""
        return f"{self.written}{f':{self.tag}' if self.tag else ''}@{digest}"

    def __str__(self) -> str:
        return f"{self.written}:{self.moving}" if self.moving else f"{self.written}@{self.digest}"
