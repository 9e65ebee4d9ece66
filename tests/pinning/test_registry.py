"""Digests of images: asked of a real registry, and of a server that answers what no registry should."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import stat
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from slipform.pinning import registry as client
from slipform.pinning.errors import Unresolved
from slipform.pinning.image import Image
from slipform.pinning.registry import Registries

from .conftest import PASSWORD, USER, Registry

DIGEST = f"sha256:{'1' * 64}"


def image(text: str) -> Image:
    parsed = Image.parse(text)
    assert parsed is not None
    return parsed


def digest(text: str) -> str:
    return Registries().digest(image(text))


@pytest.fixture(autouse=True)
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Docker's config, in which nobody has logged in; no waiting for busy registries."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setattr(client, "sleep", lambda seconds: None)
    return tmp_path / "config.json"


@pytest.mark.parametrize(
    ("text", "registry", "repository", "tag", "asked"),
    [
        ("nvcr.io/nvidia/tritonserver:26.08-py3", "nvcr.io", "nvidia/tritonserver", "26.08-py3",
         "https://nvcr.io/v2/nvidia/tritonserver"),
        ("python", "docker.io", "library/python", None, "https://registry-1.docker.io/v2/library/python"),
        ("prom/prometheus:v3", "docker.io", "prom/prometheus", "v3", "https://registry-1.docker.io/v2/prom/prometheus"),
        ("localhost:5001/a", "localhost:5001", "a", None, "http://localhost:5001/v2/a"),
        (f"r.example.com:8443/a/b@{DIGEST}", "r.example.com:8443", "a/b", None, "https://r.example.com:8443/v2/a/b"),
        (f"r.example.com/a:1@{DIGEST}", "r.example.com", "a", "1", "https://r.example.com/v2/a"),
    ],
)  # fmt: skip
def test_a_name_is_read_as_docker_reads_it(
    text: str, registry: str, repository: str, tag: str | None, asked: str
) -> None:
    found = image(text)
    assert (found.registry, found.repository, found.tag, found.api) == (registry, repository, tag, asked)


@pytest.mark.parametrize("text", ["", "https://r.example.com/a", "r.example.com/A", "r.example.com/a@sha256:12", "a b"])
def test_what_is_no_name_is_none(text: str) -> None:
    assert Image.parse(text) is None


@pytest.mark.parametrize(
    ("text", "pinned"),
    [
        ("r.example.com/a", f"r.example.com/a@{DIGEST}"),
        ("r.example.com/a:1", f"r.example.com/a:1@{DIGEST}"),
        (f"r.example.com/a:1@sha256:{'2' * 64}", f"r.example.com/a:1@{DIGEST}"),
        (f"r.example.com/a@sha256:{'0' * 64}", f"r.example.com/a@{DIGEST}"),
    ],
)
def test_the_tag_stays_beside_the_digest(text: str, pinned: str) -> None:
    assert image(text).at(DIGEST) == pinned


def test_a_digest_of_zeros_is_none_yet() -> None:
    assert image(f"r.example.com/a@sha256:{'0' * 64}").digest is None


def test_a_tag_is_the_digest_of_all_its_platforms(registry: Registry) -> None:
    pushed = registry.push("team/model", "1.0")
    assert digest(f"{registry.address}/team/model:1.0") == pushed
    assert digest(f"{registry.address}/team/model@{pushed}") == pushed


def test_without_a_tag_latest_is_meant(registry: Registry) -> None:
    pushed = registry.push("team/unnamed", "latest")
    assert digest(f"{registry.address}/team/unnamed") == pushed


@pytest.mark.parametrize("name", ["team/none:1", f"team/none@{DIGEST}"])
def test_what_is_not_there_is_said(registry: Registry, name: str) -> None:
    with pytest.raises(Unresolved, match=f"has no {registry.address}/team/none"):
        digest(f"{registry.address}/{name}")


def test_a_password_is_taken_from_docker_login(registry_with_passwords: Registry, docker_config: Path) -> None:
    pushed = registry_with_passwords.push("a", "1")
    name = f"{registry_with_passwords.address}/a:1"
    with pytest.raises(Unresolved, match="lets nobody here read") as refused:
        digest(name)
    assert refused.value.remedy == f"`docker login {registry_with_passwords.address}`"
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    docker_config.write_text(json.dumps({"auths": {registry_with_passwords.address: {"auth": auth}}}))
    assert digest(name) == pushed


def test_a_credential_helper_is_asked(
    registry_with_passwords: Registry, docker_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed = registry_with_passwords.push("b", "1")
    helper = docker_config.parent / "docker-credential-example"
    answer = json.dumps({"Username": USER, "Secret": PASSWORD, "ServerURL": ""})
    helper.write_text(f"#!/bin/sh\ncat >/dev/null\necho '{answer}'\n")
    helper.chmod(helper.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", str(docker_config.parent), prepend=":")
    docker_config.write_text(json.dumps({"credHelpers": {registry_with_passwords.address: "example"}}))
    assert digest(f"{registry_with_passwords.address}/b:1") == pushed
    helper.unlink()
    with pytest.raises(Unresolved, match="Docker's config gives no login"):
        digest(f"{registry_with_passwords.address}/b:1")


def test_a_public_image_needs_no_login_where_tokens_are_asked_for(registry_with_tokens: Registry) -> None:
    assert digest(f"{registry_with_tokens.address}/public/model:1.0").startswith("sha256:")


def test_a_private_image_needs_one(registry_with_tokens: Registry, docker_config: Path) -> None:
    name = f"{registry_with_tokens.address}/private/model:1.0"
    with pytest.raises(Unresolved, match="lets nobody here read"):
        digest(name)
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    docker_config.write_text(json.dumps({"auths": {registry_with_tokens.address: {"auth": auth}}}))
    assert digest(name).startswith("sha256:")
    docker_config.write_text(
        json.dumps({"auths": {registry_with_tokens.address: {"identitytoken": "an identity token"}}})
    )
    assert digest(name).startswith("sha256:")


def test_a_registry_that_is_not_there_is_said_in_a_line() -> None:
    with pytest.raises(Unresolved) as refused:
        digest("127.0.0.1:1/a:1")
    assert re.fullmatch(r"127\.0\.0\.1:1 could not be reached: .{,60}Connection refused", refused.value.message)


# -- what no registry should answer ---------------------------------------------------------------

Answer = Callable[[BaseHTTPRequestHandler], tuple[int, dict[str, str], bytes]]


@pytest.fixture
def answering() -> Iterator[Callable[[Answer], str]]:
    """A server on this machine that answers as the test says; its address."""
    servers = []

    def start(answer: Answer) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, headers, body = answer(self)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def do_HEAD(self) -> None:
                self.do_GET()

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


BODY = b'{"schemaVersion": 2}'
OF_BODY = f"sha256:{hashlib.sha256(BODY).hexdigest()}"


def test_a_registry_that_names_no_digest_is_read_instead(answering: Callable[[Answer], str]) -> None:
    assert digest(f"{answering(lambda request: (200, {}, BODY))}/a:1") == OF_BODY


def test_a_content_that_is_not_its_digest_is_refused(answering: Callable[[Answer], str]) -> None:
    def answer(request: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], bytes]:
        return 200, {} if request.command == "HEAD" else {"Docker-Content-Digest": DIGEST}, BODY

    with pytest.raises(Unresolved, match="but its content is"):
        digest(f"{answering(answer)}/a:1")


def test_another_digest_than_the_one_that_was_asked_for_is_refused(answering: Callable[[Answer], str]) -> None:
    address = answering(lambda request: (200, {"Docker-Content-Digest": f"sha256:{'2' * 64}"}, BODY))
    with pytest.raises(Unresolved, match=f"answers sha256:{'2' * 64} when asked for"):
        digest(f"{address}/a@{DIGEST}")


def test_a_redirect_is_followed_without_the_secret(answering: Callable[[Answer], str], docker_config: Path) -> None:
    seen: list[str | None] = []

    def elsewhere(request: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], bytes]:
        seen.append(request.headers.get("Authorization"))
        return 200, {"Docker-Content-Digest": OF_BODY}, BODY

    other = answering(elsewhere).replace("127.0.0.1", "localhost")

    def first(request: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], bytes]:
        if request.headers.get("Authorization") is None:
            return 401, {"WWW-Authenticate": 'Basic realm="a"'}, b""
        return 307, {"Location": f"http://{other}/v2/a/manifests/1"}, b""

    address = answering(first)
    docker_config.write_text(json.dumps({"auths": {address: {"auth": base64.b64encode(b"a:b").decode()}}}))
    assert digest(f"{address}/a:1") == OF_BODY
    assert seen == [None]


def test_a_busy_registry_is_asked_again(answering: Callable[[Answer], str]) -> None:
    asked = iter([429, 503, 200])

    def answer(request: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], bytes]:
        return next(asked), {"Docker-Content-Digest": OF_BODY, "Retry-After": "1"}, BODY

    assert digest(f"{answering(answer)}/a:1") == OF_BODY


def test_one_that_wants_an_hour_is_not_waited_for(answering: Callable[[Answer], str]) -> None:
    address = answering(lambda request: (429, {"Retry-After": "3600"}, b""))
    with pytest.raises(Unresolved, match="too many requests from here; again after 3600 s"):
        digest(f"{address}/a:1")


@pytest.mark.parametrize(
    ("challenge", "said"),
    [
        ('Bearer realm="ftp://a"', "asks for a token of ftp://a"),
        ("Negotiate", "lets nobody here read"),
        ("", "lets nobody here read"),
    ],
)
def test_a_challenge_that_nobody_can_meet_is_said(
    answering: Callable[[Answer], str], challenge: str, said: str
) -> None:
    with pytest.raises(Unresolved, match=said):
        digest(f"{answering(lambda request: (401, {'WWW-Authenticate': challenge}, b''))}/a:1")


def test_a_token_that_is_none_is_said(answering: Callable[[Answer], str]) -> None:
    authority = answering(lambda request: (200, {}, b"[]"))
    challenge = {"WWW-Authenticate": f'Bearer realm="http://{authority}/token",service="a"'}
    with pytest.raises(Unresolved, match="gives no token, though"):
        digest(f"{answering(lambda request: (401, challenge, b''))}/a:1")
