"""One request and its answer, without the connection that carries them."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import msgspec

from slipform_runtime import compression
from slipform_runtime.caller import Caller
from slipform_runtime.compression import LARGE_BYTES, WORTH_BYTES
from slipform_runtime.errors import InferenceError, MethodNotAllowed, UnsupportedEncoding

JSON = b"application/json"
BINARY = b"application/octet-stream"
HTML = b"text/html; charset=utf-8"

_REASONS = {status.value: status.phrase for status in HTTPStatus} | {499: "Client Closed Request"}
_STATUS_LINES = {status: f"HTTP/1.1 {status} {reason}\r\n".encode() for status, reason in _REASONS.items()}
_JSON_ANSWER = _STATUS_LINES[200] + b"content-length: %d\r\ncontent-type: application/json\r\n\r\n%b"

Send = Callable[["Exchange", bytes], None]


class Exchange(Caller, eq=False):
    """What a route sees: the request, and `respond`, to be called once. `send` is the connection's."""

    send: Send
    method: bytes = b""
    target: bytes = b""
    headers: dict[bytes, bytes] = msgspec.field(default_factory=dict)
    body: bytes | bytearray = b""
    keep_alive: bool = True
    responded: bool = False

    def header(self, name: bytes) -> str:
        """A header's value; empty where it is missing."""
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def traceparent(self) -> str:
        """The W3C trace that the request belongs to; empty for none."""
        return self.header(b"traceparent")

    def head_without_offer(self) -> bytes:
        """The request's head as it would be without an offer to upgrade."""
        kept = (line for line in self.headers.items() if line[0] not in (b"connection", b"upgrade"))
        lines = [b"%b %b HTTP/1.1" % (self.method, self.target), *(b"%b: %b" % line for line in kept)]
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def respond(
        self, status: int, body: bytes = b"", content_type: bytes = JSON, extra: tuple[tuple[bytes, bytes], ...] = ()
    ) -> None:
        """Send the answer."""
        self.responded = True
        self.on_disconnect = None
        if len(body) >= WORTH_BYTES and b"accept-encoding" in self.headers and status == 200:
            self._respond_compressed(body, content_type, extra)
        elif (
            status == 200 and content_type is JSON and body and self.keep_alive and not extra and self.method == b"POST"
        ):
            self.send(self, _JSON_ANSWER % (len(body), body))
        else:
            self._respond(status, body, content_type, extra)

    def _respond(self, status: int, body: bytes, content_type: bytes, extra: tuple[tuple[bytes, bytes], ...]) -> None:
        head = b"%bcontent-length: %d\r\n" % (_STATUS_LINES[status], len(body))
        if body:
            head = b"%bcontent-type: %b\r\n" % (head, content_type)
        for line in extra:
            head = b"%b%b: %b\r\n" % (head, *line)
        if not self.keep_alive:
            head += b"connection: close\r\n"
        self.send(self, b"%b\r\n%b" % (head, b"" if self.method == b"HEAD" else body))

    def _respond_compressed(self, body: bytes, content_type: bytes, extra: tuple[tuple[bytes, bytes], ...]) -> None:
        """As `_respond`, in the encoding that the client asks for; a large body is compressed in a thread."""
        encoding = compression.accepted(self.header(b"accept-encoding"))

        def send(packed: bytes | None) -> None:
            if packed is None:
                self._respond(200, body, content_type, extra)
            else:
                coded = (*extra, (b"content-encoding", encoding.encode()), (b"vary", b"accept-encoding"))
                self._respond(200, packed, content_type, coded)

        if not encoding:
            send(None)
        elif len(body) < LARGE_BYTES:
            send(compression.compress(body, encoding))
        else:
            packing = asyncio.get_running_loop().run_in_executor(None, compression.compress, body, encoding)
            packing.add_done_callback(lambda done: None if done.cancelled() else send(done.result()))

    def respond_json(self, value: Any, status: int = 200) -> None:
        """Send `value` as JSON."""
        self.respond(status, msgspec.json.encode(value))

    def refuse(self, error: InferenceError) -> None:
        """Send an error, as the protocol has it: `{"error": "…"}`."""
        extra: tuple[tuple[bytes, bytes], ...] = ()
        if error.retry_after_seconds is not None:
            extra = ((b"retry-after", b"%d" % error.retry_after_seconds),)
        if isinstance(error, MethodNotAllowed):
            extra = ((b"allow", error.allowed.encode()),)
        self.respond(int(error.http_status), msgspec.json.encode({"error": str(error)}), extra=extra)

    def content(self, limit: int) -> bytes | bytearray:
        """The body, decompressed; raises where it is not what its Content-Encoding says or grows past `limit`."""
        if b"content-encoding" not in self.headers:
            return self.body
        encoding = self.header(b"content-encoding").strip().lower()
        if encoding in ("", "identity"):
            return self.body
        if not compression.is_known(encoding):
            raise UnsupportedEncoding(f"content-encoding '{encoding}' is not one of gzip, deflate, identity")
        return compression.decompress(self.body, encoding, limit, "the body")
