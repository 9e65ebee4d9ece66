"""What probes and hooks do: ask over HTTP, open a connection, ask over gRPC, run a command, wait.

An action succeeds by returning; otherwise it raises ActionFailed, whose text says why.
"""

import asyncio
import http.client
from collections.abc import Awaitable, Callable

import grpc
import grpc.aio
from tests.cluster.api import Object

_SERVING = b"\x08\x01"  # HealthCheckResponse{status: SERVING}

Execute = Callable[[list[str]], Awaitable[int]]
"""Runs a command in a container; its exit code."""


class ActionFailed(Exception):
    """A probe or a hook that did not succeed."""


async def perform(action: Object, container: Object, address: str, execute: Execute) -> None:
    """Performs a probe's or a hook's action for a container of the pod that has this address."""
    try:
        if "httpGet" in action:
            await asyncio.to_thread(_get, action["httpGet"], container, address)
        elif "tcpSocket" in action:
            _, writer = await asyncio.open_connection(address, _port(action["tcpSocket"], container))
            writer.close()
        elif "grpc" in action:
            await _check_health(f"{address}:{action['grpc']['port']}", action["grpc"].get("service", ""))
        elif "exec" in action:
            if code := await execute(action["exec"]["command"]):
                raise ActionFailed(f"the command ended with {code}")
        else:
            await asyncio.sleep(action["sleep"]["seconds"])
    except (OSError, http.client.HTTPException, grpc.RpcError) as error:
        raise ActionFailed(str(error) or repr(error)) from error


def _get(action: Object, container: Object, address: str) -> None:
    host = action.get("host", address)
    made: type[http.client.HTTPConnection] = http.client.HTTPConnection
    if action.get("scheme") == "HTTPS":
        made = http.client.HTTPSConnection
    connection = made(host, _port(action, container), timeout=10)
    headers = {"User-Agent": "kube-probe/1.35", "Connection": "close"}
    headers |= {header["name"]: header["value"] for header in action.get("httpHeaders", [])}
    try:
        connection.request("GET", action.get("path", "/"), headers=headers)
        status = connection.getresponse().status
    finally:
        connection.close()
    if not 200 <= status < 400:
        raise ActionFailed(f"HTTP probe failed with statuscode: {status}")


async def _check_health(target: str, service: str) -> None:
    """grpc.health.v1.Health/Check; its two messages are small enough to need no generated code."""
    name = service.encode()
    async with grpc.aio.insecure_channel(target) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        answer = await check(b"\x0a" + bytes([len(name)]) + name if name else b"")
    if answer != _SERVING:
        raise ActionFailed("the service does not say SERVING")


def _port(action: Object, container: Object) -> int:
    """A port by number or by the container's name for it."""
    if isinstance(action["port"], int):
        return action["port"]
    ports = {port["name"]: port["containerPort"] for port in container.get("ports", []) if "name" in port}
    number: int = ports[action["port"]]
    return number
