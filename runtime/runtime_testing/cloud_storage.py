"""Google's Cloud Storage as far as gcsfs asks: its JSON API for objects, in memory."""

import base64
import hashlib
import http.server
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

_OBJECT = re.compile(r"^(?:/download)?/storage/v1/b/([^/]+)/o(?:/(.+))?$")


class Handler(http.server.BaseHTTPRequestHandler):
    """`objects` by (bucket, name): bytes and their generation; `cut` ends so many downloads in their middle."""

    protocol_version = "HTTP/1.1"
    objects: ClassVar[dict[tuple[str, str], tuple[bytes, int]]] = {}
    uploads: ClassVar[dict[str, tuple[str, str, bytearray]]] = {}
    generations = count(1)
    ranges: ClassVar[list[str]] = []
    cut = 0

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        found = _OBJECT.match(url.path)
        if not found:
            return self._json(404, {})
        bucket, name = found[1], unquote(found[2] or "")
        query = parse_qs(url.query)
        if not name:
            prefix = query.get("prefix", [""])[0]
            return self._json(200, self._listed(bucket, prefix, query.get("delimiter", [""])[0]))
        if (bucket, name) not in self.objects:
            return self._json(404, {"error": {"message": "not found", "code": 404}})
        if query.get("alt") == ["media"] or url.path.startswith("/download"):
            return self._media(self.objects[bucket, name][0])
        return self._json(200, self._facts(bucket, name))

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        if not url.query:
            return self._piece()
        query = parse_qs(url.query)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        bucket = url.path.split("/b/")[1].split("/")[0]
        if query["uploadType"] == ["resumable"]:
            name, key = json.loads(body or b"{}").get("name") or query["name"][0], str(next(self.generations))
            self.uploads[key] = (bucket, name, bytearray())
            return self._json(200, {}, Location=f"http://{self.headers['Host']}/upload/{key}")
        boundary = re.search(r"boundary=['\"]?([^'\";]+)", self.headers["Content-Type"])
        _, about, content, _ = body.split(b"--" + (boundary[1] if boundary else "").encode())
        name = json.loads(about.partition(b"\n\n")[2] or about.partition(b"\r\n\r\n")[2])["name"]
        if query.get("ifGenerationMatch") == ["0"] and (bucket, name) in self.objects:
            return self._json(412, {"error": {"message": "conditionNotMet", "code": 412}})
        separator = b"\r\n\r\n" if b"\r\n\r\n" in content else b"\n\n"
        return self._stored(bucket, name, content.partition(separator)[2].removesuffix(b"\n").removesuffix(b"\r"))

    def _piece(self) -> None:
        """The next part of a resumable upload."""
        bucket, name, held = self.uploads[self.path.removeprefix("/upload/")]
        held += self.rfile.read(int(self.headers.get("Content-Length", 0)))
        total = self.headers["Content-Range"].rpartition("/")[2]
        if total == "*" or int(total) != len(held):
            return self._json(308, {}, Range=f"bytes=0-{len(held) - 1}")
        return self._stored(bucket, name, bytes(held))

    def do_DELETE(self) -> None:
        found = _OBJECT.match(urlsplit(self.path).path)
        if found:
            self.objects.pop((found[1], unquote(found[2])), None)
        self._json(204, None)

    def _listed(self, bucket: str, prefix: str, delimiter: str) -> dict[str, Any]:
        names = [name for held, name in self.objects if held == bucket and name.startswith(prefix)]
        deeper = {prefix + name[len(prefix) :].partition("/")[0] + "/" for name in names if "/" in name[len(prefix) :]}
        shown = [name for name in names if not delimiter or "/" not in name[len(prefix) :]]
        return {"items": [self._facts(bucket, name) for name in shown], "prefixes": sorted(deeper) * bool(delimiter)}

    def _facts(self, bucket: str, name: str) -> dict[str, Any]:
        data, generation = self.objects[bucket, name]
        digest = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        return {
            "bucket": bucket, "name": name, "size": str(len(data)), "generation": str(generation), "md5Hash": digest,
            "timeCreated": "2026-01-01T00:00:00Z", "updated": "2026-01-01T00:00:00Z", "etag": digest,
        }  # fmt: skip

    def _stored(self, bucket: str, name: str, data: bytes) -> None:
        self.objects[bucket, name] = (data, next(self.generations))
        self._json(200, self._facts(bucket, name))

    def _media(self, data: bytes) -> None:
        here, wanted = type(self), self.headers.get("Range", "")
        here.ranges.append(wanted)
        found = re.match(r"bytes=(\d+)-(\d*)", wanted)
        start, end = (int(found[1]), int(found[2] or len(data) - 1) + 1) if found else (0, len(data))
        if here.cut:
            here.cut -= 1
            return self._json(503, {"error": {"message": "busy", "code": 503}})
        return self._answer(206 if found else 200, data[start:end], "application/octet-stream")

    def _json(self, status: int, value: Any, **headers: str) -> None:
        self._answer(status, b"" if value is None else json.dumps(value).encode(), "application/json", **headers)

    def _answer(self, status: int, body: bytes, kind: str, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def cloud_storage() -> Iterator[str]:
    """Its address, with nothing in it."""
    Handler.objects.clear()
    Handler.ranges.clear()
    Handler.cut = 0
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
