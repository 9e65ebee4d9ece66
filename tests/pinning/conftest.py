"""A real registry (CNCF distribution, Debian's docker-registry), open or with either way of asking who is there."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from tests.cluster import processes, tools

USER, PASSWORD = "jane", "s3cret"
HTPASSWD = "jane:$2b$04$gXFc7QkFdctOpqoVnbJcqu8ZhDFKuRAmZIIOASY9/5Sn0QJ0oa7pO\n"  # of that password
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass
class Registry:
    """A registry that runs; ``push`` puts an image there and answers its digest."""

    address: str
    headers: dict[str, str] = field(default_factory=dict)
    log: Path = Path()

    def push(self, repository: str, tag: str, content: str = "a") -> str:
        """An image for two platforms, by its index."""
        image = self._manifest(repository, MANIFEST, {
            "config": self._blob(repository, json.dumps({"made for": content}).encode()), "layers": [],
        })  # fmt: skip
        entries = [{**image, "platform": {"os": "linux", "architecture": name}} for name in ("amd64", "arm64")]
        return str(self._manifest(repository, INDEX, {"manifests": entries}, tag)["digest"])

    def delete(self, repository: str, digest: str) -> None:
        self._send("DELETE", f"{repository}/manifests/{digest}")

    def _blob(self, repository: str, content: bytes) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        place = self._send("POST", f"{repository}/blobs/uploads/").headers["Location"]
        joint = "&" if "?" in place else "?"
        requests.put(
            f"{place}{joint}digest={digest}", data=content, headers=self.headers, timeout=10
        ).raise_for_status()
        return {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": len(content)}

    def _manifest(self, repository: str, kind: str, data: dict[str, Any], tag: str | None = None) -> dict[str, Any]:
        body = json.dumps({"schemaVersion": 2, "mediaType": kind, **data}).encode()
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        self._send("PUT", f"{repository}/manifests/{tag or digest}", data=body, kind=kind)
        return {"mediaType": kind, "digest": digest, "size": len(body)}

    def _send(self, method: str, path: str, *, data: bytes | None = None, kind: str = "") -> requests.Response:
        headers = self.headers | ({"Content-Type": kind} if kind else {})
        answer = requests.request(method, f"http://{self.address}/v2/{path}", data=data, headers=headers, timeout=10)
        assert answer.ok, answer.text
        return answer


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """One that lets everybody in."""
    with Running(tmp_path_factory.mktemp("registry")) as made:
        yield made


@pytest.fixture(scope="session")
def registry_with_passwords(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """One that asks for a name and a password."""
    folder = tmp_path_factory.mktemp("registry-with-passwords")
    (folder / "htpasswd").write_text(HTPASSWD)
    with Running(folder, {"htpasswd": {"realm": "models", "path": str(folder / "htpasswd")}}) as made:
        made.headers["Authorization"] = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        yield made


@pytest.fixture(scope="session")
def registry_with_tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """One that takes tokens of an authority: anybody gets one for public/…, jane for all, to push too."""
    folder = tmp_path_factory.mktemp("registry-with-tokens")
    authority = Authority(folder)
    token = {"realm": authority.realm, "service": "models", "issuer": "slipform", "rootcertbundle": authority.bundle}
    with authority, Running(folder, {"token": token}) as made:
        for name in ("public/model", "private/model"):
            made.headers["Authorization"] = f"Bearer {authority.token(name, ['pull', 'push', 'delete'])}"
            made.push(name, "1.0")
        yield made


class Running:
    def __init__(self, folder: Path, auth: dict[str, Any] | None = None) -> None:
        program = tools.ensure("docker-registry") if os.environ.get("CI") else tools.find("docker-registry")
        if program is None:
            pytest.skip("no docker-registry on this machine: `python -m tests.cluster.tools docker-registry` makes it")
        address = f"127.0.0.1:{processes.free_port()}"
        config = {
            "version": "0.1",
            "log": {"level": "error"},
            "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
            "http": {"addr": address},
            **({"auth": auth} if auth else {}),
        }
        (folder / "config.yml").write_text(json.dumps(config))
        self._registry = Registry(address, log=folder / "registry.log")
        self._program = processes.running([program, "serve", folder / "config.yml"], self._registry.log)
        self._folder = folder

    def __enter__(self) -> Registry:
        started = self._program.__enter__()
        processes.wait_until(self._answers, {"registry": started}, self._folder)
        return self._registry

    def __exit__(self, *error: Any) -> None:
        self._program.__exit__(*error)

    def _answers(self) -> bool:
        try:
            return requests.get(f"http://{self._registry.address}/v2/", timeout=5).status_code in (200, 401)
        except requests.ConnectionError:
            return False


class Authority:
    """Gives out tokens, as the distribution project's "Token authentication" specifies them."""

    def __init__(self, folder: Path) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._certificate = _self_signed(self._key)
        (folder / "bundle.pem").write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))
        self.bundle = str(folder / "bundle.pem")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.realm = f"http://127.0.0.1:{self._server.server_port}/token"

    def __enter__(self) -> Authority:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def token(self, repository: str, actions: list[str]) -> str:
        now = int(datetime.now(UTC).timestamp())
        certificate = base64.b64encode(self._certificate.public_bytes(serialization.Encoding.DER)).decode()
        header = {"typ": "JWT", "alg": "RS256", "x5c": [certificate]}
        access = [{"type": "repository", "name": repository, "actions": actions}]
        claims = {"iss": "slipform", "sub": "", "aud": "models", "iat": now, "nbf": now - 5, "exp": now + 300,
                  "jti": "1", "access": access}  # fmt: skip
        signed = f"{_base64(json.dumps(header).encode())}.{_base64(json.dumps(claims).encode())}"
        return f"{signed}.{_base64(self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def _handler(authority) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - the class below has a self of its own
        known = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                _, repository, _ = query["scope"][0].split(":")
                given = self.headers.get("Authorization")
                if given not in (None, known):
                    self.send_error(401)
                    return
                may_pull = given == known or repository.startswith("public/")
                self._answer(authority.token(repository, ["pull"] if may_pull else []))

            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                if form["grant_type"] != ["refresh_token"] or form["refresh_token"] != ["an identity token"]:
                    self.send_error(401)
                    return
                self._answer(authority.token(form["scope"][0].split(":")[1], ["pull"]))

            def _answer(self, token: str) -> None:
                body = json.dumps({"access_token": token}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def _self_signed(key: rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "slipform")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=12))
    return builder.sign(key, hashes.SHA256())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
