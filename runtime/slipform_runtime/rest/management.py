"""The management port: what changes a running server. Closed by default; every request carries the token."""

from hmac import compare_digest
from http import HTTPStatus

import msgspec

from slipform_runtime.cache import ResponseCache
from slipform_runtime.errors import InferenceError, InvalidRequest
from slipform_runtime.logs import Level, log
from slipform_runtime.rest.exchange import Exchange
from slipform_runtime.rest.repository import RepositoryRoutes
from slipform_runtime.rest.routes import Route, Router


class Unauthorized(InvalidRequest):
    """No token, or another one."""

    http_status = HTTPStatus.UNAUTHORIZED


class ManagementRouter:
    """Answers only those who know the token."""

    def __init__(self, token: str, repository: RepositoryRoutes, cache: ResponseCache) -> None:
        self._expected = f"Bearer {token}".encode()
        self._cache = cache
        self._router = Router(
            [
                *repository.routes(),
                Route(b"POST", "/log-level", self.set_log_level),
                Route(b"POST", "/cache/clear", self.clear_cache),
            ]
        )

    def __call__(self, exchange: Exchange) -> None:
        """Answer, or refuse with 401."""
        if not compare_digest(exchange.headers.get(b"authorization", b""), self._expected):
            error: InferenceError = Unauthorized("this port needs the header Authorization: Bearer TOKEN")
            exchange.refuse(error)
            return
        self._router(exchange)

    def set_log_level(self, exchange: Exchange) -> None:
        """`{"level": "debug"}`, until the server ends."""
        try:
            level = msgspec.json.decode(exchange.body, type=dict[str, str])["level"]
            log.level = Level[level.upper()]
        except (msgspec.DecodeError, UnicodeDecodeError, KeyError) as error:
            levels = ", ".join(level.name.lower() for level in Level)
            raise InvalidRequest(f'the body must be {{"level": …}} with one of {levels}') from error
        log.info("log_level_changed", level=level)
        exchange.respond(200)

    def clear_cache(self, exchange: Exchange) -> None:
        """Forget every cached answer."""
        exchange.respond_json({"dropped": self._cache.clear_all()})
