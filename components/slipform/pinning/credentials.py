"""Who we are to a registry: as ``docker login`` left it in Docker's config, helpers and stores included."""

from __future__ import annotations

import base64
import warnings
from dataclasses import dataclass

from .errors import Unresolved


@dataclass(frozen=True)
class Login:
    """A name and a secret, or the token that stands for them."""

    username: str = ""
    password: str = ""
    identity_token: str | None = None

    @property
    def basic(self) -> str:
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode("ascii")


def credentials(registry: str) -> Login | None:
    """The login for a registry; None where there is none. Raises Unresolved where a helper or the config is broken."""
    from docker import auth, errors  # type: ignore[import-untyped]

    try:
        with warnings.catch_warnings(action="ignore"):  # a helper that is missing is said below
            found = auth.load_config().resolve_authconfig(registry) or {}
    except errors.DockerException as problem:
        raise Unresolved(
            f"Docker's config gives no login for {registry}: {problem}",
            "put ~/.docker/config.json right, or `docker login` again",
        ) from None
    known = {key.lower(): value for key, value in found.items()}
    if token := known.get("identitytoken"):
        return Login(identity_token=token)
    if known.get("username"):
        return Login(known["username"], known.get("password") or "")
    return None
