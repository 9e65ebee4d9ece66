"""From a method and a path to what answers it. Paths are matched as they are sent: nothing is decoded, so no
`%2e` becomes a dot and no name leads out of the repository."""

from collections.abc import Callable
from dataclasses import dataclass

from slipform_runtime.defects import told
from slipform_runtime.errors import InvalidRequest, MethodNotAllowed, NotFound
from slipform_runtime.extensions import instead_of
from slipform_runtime.repository.layout import is_model_name
from slipform_runtime.rest.exchange import Exchange

Answer = Callable[..., None]
_CACHED_TARGETS = 1024
_WHOLE_URLS = (b"http://", b"https://")  # RFC 9112, section 3.2.2


@dataclass(frozen=True, slots=True)
class Route:
    """`pattern` has fixed parts and the parts {model} and {version}, which go to `answer` in their order."""

    method: bytes
    pattern: str
    answer: Answer


class Router:
    """Finds the route of a target, and remembers it: a server is asked the same few targets again and again."""

    def __init__(self, routes: list[Route]) -> None:
        self._routes = [(route, tuple(route.pattern.strip("/").split("/"))) for route in routes]
        self._known: dict[tuple[bytes, bytes], tuple[Answer, tuple[str, ...]]] = {}

    def __call__(self, exchange: Exchange) -> None:
        """Answer the exchange; every error becomes an answer."""
        try:
            key = (exchange.method, exchange.target)
            found = self._known.get(key)
            if found is None:
                found = self._find(*key)
                if len(self._known) < _CACHED_TARGETS:
                    self._known[key] = found
            answer, names = found
            answer(exchange, *names)
        except Exception as error:
            if not exchange.responded:
                exchange.refuse(told(error))

    def _find(self, method: bytes, target: bytes) -> tuple[Answer, tuple[str, ...]]:
        path_bytes = target.partition(b"?")[0]
        if path_bytes.startswith(_WHOLE_URLS):  # as clients send it to proxies; servers must take it too
            path_bytes = b"/" + path_bytes.partition(b"://")[2].partition(b"/")[2]
        try:
            path = path_bytes.decode("ascii")
        except UnicodeDecodeError:
            raise InvalidRequest("the path has bytes other than ASCII") from None
        parts = tuple(path.strip("/").split("/"))
        wanted = b"GET" if method == b"HEAD" else method
        allowed: set[str] = set()
        for route, pattern in self._routes:
            names = _match(pattern, parts)
            if names is None:
                continue
            if route.method == wanted:
                return route.answer, names
            allowed.update(("GET", "HEAD") if route.method == b"GET" else (route.method.decode(),))
        if allowed:
            raise MethodNotAllowed(", ".join(sorted(allowed)))
        raise NotFound(instead_of(path) or "there is no such route; GET /docs lists them")


def _match(pattern: tuple[str, ...], parts: tuple[str, ...]) -> tuple[str, ...] | None:
    if len(pattern) != len(parts):
        return None
    names: list[str] = []
    for wanted, part in zip(pattern, parts, strict=True):
        if not wanted.startswith("{"):
            if wanted != part:
                return None
        elif wanted == "{model}" and not is_model_name(part):
            return None
        else:
            names.append(part)
    return tuple(names)
