"""What is asked of the server about the model: its inputs, and what it executed."""

from dataclasses import dataclass
from typing import Any

import aiohttp

from slipform_runtime.bench.errors import Unreachable


@dataclass(frozen=True)
class Executed:
    """What the server did, by its own statistics: so far, or between two moments."""

    items: int
    executions: int
    requests: int
    from_cache: int
    """Requests that its response cache answered."""

    def __sub__(self, before: "Executed") -> "Executed":
        return Executed(
            self.items - before.items,
            self.executions - before.executions,
            self.requests - before.requests,
            self.from_cache - before.from_cache,
        )

    @property
    def batch(self) -> float | None:
        """Items an execution of the model took on average."""
        return self.items / self.executions if self.executions else None

    @property
    def cached(self) -> float:
        """The share of the requests that the cache answered."""
        return self.from_cache / self.requests if self.requests else 0.0


class Asked:
    """The server's REST side; every call raises Unreachable where it does not answer as the protocol says."""

    def __init__(self, url: str, model: str, version: str) -> None:
        self._url = url
        self.path = f"/v2/models/{model}" + (f"/versions/{version}" if version else "")
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))

    async def metadata(self) -> dict[str, Any]:
        """The model's metadata."""
        answer = await self._get("")
        if answer is None:
            raise Unreachable(f"{self._url}{self.path}: no such model{await self._known()}")
        return answer

    async def executed(self) -> Executed | None:
        """What it did so far, all versions together; None where the server has no statistics extension."""
        answer = await self._get("/stats")
        if answer is None:
            return None
        stats = answer.get("model_stats", [])
        counts = [each["inference_stats"] for each in stats]
        return Executed(
            items=sum(each["inference_count"] for each in stats),
            executions=sum(each["execution_count"] for each in stats),
            requests=sum(each["success"]["count"] for each in counts),
            from_cache=sum(each.get("cache_hit", {}).get("count", 0) for each in counts),
        )

    async def close(self) -> None:
        """Close its connections."""
        await self._session.close()

    async def _known(self) -> str:
        """What there is in its place, where the server has the repository extension."""
        async with self._session.post(f"{self._url}/v2/repository/index", json={"ready": True}) as answer:
            if answer.status != 200:
                return ""
            names = sorted({each["name"] for each in await answer.json(content_type=None)})
            return f"; ready are: {', '.join(names) or 'none'}"

    async def _get(self, path: str) -> dict[str, Any] | None:
        try:
            async with self._session.get(self._url + self.path + path) as answer:
                if answer.status != 200:
                    return None
                found: dict[str, Any] = await answer.json(content_type=None)
                return found
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise Unreachable(f"{self._url}: {str(error) or type(error).__name__}") from error
