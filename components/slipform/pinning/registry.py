"""What a registry says an image's digest is, by the OCI distribution API (its section "Pulling manifests")."""

from __future__ import annotations

import hashlib
import re
from email.utils import parsedate_to_datetime
from time import sleep, time
from typing import Any

from .credentials import credentials
from .errors import Unresolved
from .image import Image

_ACCEPT = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",  # of all platforms: what a tag means, so that any node can pull it
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_TIMEOUT_SECONDS = (10, 30)  # to connect, to answer
_TRIES = 3
_LONGEST_WAIT_SECONDS = 20.0
_LARGEST_MANIFEST = 8 << 20  # the specification asks registries to take 4 MiB


class Registries:
    """A client for any registry; one for a run, so that connections and tokens are used again.

    Raises ImportError where requests is not installed.
    """

    def __init__(self) -> None:
        import requests

        self._requests = requests
        self._session = requests.Session()
        self._session.trust_env = True  # proxies and certificates as the machine has them
        self._session.headers["User-Agent"] = "slipform"
        self._headers: dict[str, str] = {}  # Authorization, by repository

    def digest(self, image: Image) -> str:
        """What the tag (or the digest, if there is no tag) means there now. Raises Unresolved."""
        reference = image.moving or image.digest
        url = f"{image.api}/manifests/{reference}"
        try:
            found = self._digest(image, url)
        except self._requests.RequestException as error:
            raise Unresolved(f"{image.registry} could not be reached: {_reason(error)}") from None
        if image.moving is None and found != image.digest:
            raise Unresolved(f"{image.registry} answers {found} when asked for {image}")
        return found

    def _digest(self, image: Image, url: str) -> str:
        # HEAD first: it is free where pulls are counted, as on Docker Hub.
        head = self._request("HEAD", url, image)
        named = head.headers.get("Docker-Content-Digest", "") if head.status_code == 200 else ""
        if re.fullmatch(r"sha256:[0-9a-f]{64}", named):
            return str(named)
        answer = self._request("GET", url, image)
        if answer.status_code != 200:
            raise _refusal(answer, image)
        body = answer.raw.read(_LARGEST_MANIFEST + 1, decode_content=True)
        if len(body) > _LARGEST_MANIFEST:
            raise Unresolved(f"{image.registry} answers {image} with more than a manifest")
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        named = answer.headers.get("Docker-Content-Digest", "")
        if named.startswith("sha256:") and named != digest:
            raise Unresolved(f"{image.registry} says that {image} is {named}, but its content is {digest}")
        return digest

    def _request(self, method: str, url: str, image: Image) -> Any:
        """The answer, authorised if the registry asks for it, asked for again if it is busy."""
        for attempt in range(1, _TRIES + 1):
            answer = self._once(method, url, image)
            if answer.status_code == 401 and (header := self._authorise(answer, image)):
                self._headers[image.api] = header
                answer = self._once(method, url, image)
            if answer.status_code != 429 and answer.status_code < 500:
                return answer
            wait = _wait(answer.headers.get("Retry-After"), attempt)
            if attempt == _TRIES or wait > _LONGEST_WAIT_SECONDS:
                raise _refusal(answer, image)
            sleep(wait)
        raise AssertionError("unreachable")

    def _once(self, method: str, url: str, image: Image) -> Any:
        # An Authorization is dropped by requests where a redirect leads to another host.
        headers = {"Accept": _ACCEPT}
        if authorization := self._headers.get(image.api):
            headers["Authorization"] = authorization
        return self._session.request(
            method, url, headers=headers, timeout=_TIMEOUT_SECONDS, allow_redirects=True, stream=method == "GET",
            auth=_no_netrc,
        )  # fmt: skip

    def _authorise(self, answer: Any, image: Image) -> str | None:
        """The header that answers a registry's challenge; None where nobody here is known there."""
        scheme, _, rest = str(answer.headers.get("WWW-Authenticate", "")).partition(" ")
        login = credentials(image.registry)
        if scheme.lower() == "basic":
            return login.basic if login else None
        if scheme.lower() != "bearer":
            return None
        challenge: dict[str, str] = self._requests.utils.parse_dict_header(rest)  # type: ignore[no-untyped-call]
        realm = challenge.get("realm", "")
        if not realm.startswith(("https://", "http://")):
            raise Unresolved(f"{image.registry} asks for a token of {realm or 'nobody'}")
        asked = {
            "service": challenge.get("service", ""),
            "scope": challenge.get("scope") or f"repository:{image.repository}:pull",
        }
        if login and login.identity_token:
            form = asked | {
                "grant_type": "refresh_token",
                "refresh_token": login.identity_token,
                "client_id": "slipform",
            }
            given = self._session.post(realm, data=form, timeout=_TIMEOUT_SECONDS, auth=_no_netrc)
        else:
            headers = {"Authorization": login.basic} if login else {}
            given = self._session.get(realm, params=asked, headers=headers, timeout=_TIMEOUT_SECONDS, auth=_no_netrc)
        if given.status_code != 200:
            raise _refusal(given, image)
        try:
            answered = given.json()
            return f"Bearer {answered.get('token') or answered['access_token']}"
        except (ValueError, KeyError, AttributeError):
            raise Unresolved(f"{image.registry} gives no token, though {realm} answers 200") from None


def _no_netrc(request: Any) -> Any:
    """What is for other programs in ~/.netrc is not sent to a registry."""
    return request


def _wait(retry_after: str | None, attempt: int) -> float:
    """Seconds until the next try: as the registry says, else 1, 2, 4."""
    if retry_after is None:
        return float(2 ** (attempt - 1))
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time())
    except ValueError:
        return float(2 ** (attempt - 1))


def _refusal(answer: Any, image: Image) -> Unresolved:
    match answer.status_code:
        case 404:
            return Unresolved(f"{image.registry} has no {image}")
        case 401 | 403:
            return Unresolved(f"{image.registry} lets nobody here read {image}", f"`docker login {image.registry}`")
        case 429:
            after = answer.headers.get("Retry-After")
            return Unresolved(
                f"{image.registry} has had too many requests from here" + (f"; again after {after} s" if after else ""),
                f"wait, or `docker login {image.registry}`: those who are known may ask more often",
            )
        case status:
            return Unresolved(f"{image.registry} answers {status} {answer.reason} for {image}")


def _reason(error: Exception) -> str:
    """The innermost cause, without the library's own wrapping."""
    inner: Any = error
    while inner.args and isinstance(inner.args[0], Exception):
        inner = inner.args[0]
    inner = getattr(inner, "reason", None) or inner
    return re.sub(r"^\w+\(.*?\): |^.*?object at 0x[0-9a-f]+>: ", "", str(inner))
