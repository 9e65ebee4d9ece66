"""An address outside the cluster: what may be called there, by whom, and with which certificate.

Only what a client of a model needs is routed, path by path, as the engine's ``Api`` says it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..engines.base import Port, Server
from ..spec.stack import Gateway
from ..spec.traffic import Expose
from .platform import selector
from .routes import Leg, Spec, api_of, pinned_versions, served_ports


def public_legs(server: Server, ports: Sequence[Port]) -> Iterator[Leg]:
    """The requests that are let in. Paths are matched exactly: a prefix would let in what is added below it."""
    numbers, api = served_ports(ports), api_of(server)
    pinned = pinned_versions(server.spec) if api.pinned else ()
    if "http" in numbers:
        for version, track in pinned:
            uris = _exactly(api.of_version(server.spec.name, version))
            yield Leg(f"http-{version}", "http", numbers["http"], uris, track)
        paths = [*api.server, *(server.spec.expose.paths if server.spec.expose else ())]
        for model in server.models:
            paths += api.of_model(model.name)
            paths += () if pinned else api.of_version(model.name, model.version)
        yield Leg("http", "http", numbers["http"], _exactly(paths))
    if "grpc" in numbers:
        if api.stream:
            yield Leg("grpc-stream", "grpc", numbers["grpc"], _exactly([api.stream]), stream=True)
        yield Leg("grpc", "grpc", numbers["grpc"], _exactly(api.methods))


def gateway_name(server: Server, gateway: Gateway) -> str:
    """``<namespace>/<name>`` of the gateway that carries the server's host: the stack's, or one of its own."""
    return f"{gateway.namespace}/{gateway.name or own_gateway_name(server)}"


def own_gateway_name(server: Server) -> str:
    """With the models' namespace in it: gateways of several stacks of a cluster share one namespace."""
    return f"{server.stack.cluster.namespace}-{server.name}"


def gateway_spec(server: Server, expose: Expose, gateway: Gateway) -> Spec:
    """A gateway of the server's own: TLS only, with a client's certificate where ``auth: mtls`` asks for one.

    For mtls the Secret holds the clients' authority as ``ca.crt`` beside ``tls.crt`` and ``tls.key``.
    """
    return {
        "selector": dict(gateway.selector),
        "servers": [
            {
                "port": {"number": 443, "name": "https", "protocol": "HTTPS"},
                # Only routes of the models' namespace may bind to the host.
                "hosts": [f"{server.stack.cluster.namespace}/{expose.host}"],
                "tls": {
                    "mode": "MUTUAL" if expose.auth == "mtls" else "SIMPLE",
                    "credentialName": expose.tls_secret or gateway.tls_secret,
                    "minProtocolVersion": "TLSV1_2",
                },
            }
        ],
    }


def request_authentication(server: Server, gateway: Gateway) -> Spec:
    """Whose tokens are good. Checked at the pods: at a gateway that others share, *their* tokens would be refused."""
    rule: dict[str, Any] = {"issuer": gateway.jwt_issuer}
    if gateway.jwks_uri:
        rule["jwksUri"] = gateway.jwks_uri
    if gateway.jwt_audiences:
        rule["audiences"] = list(gateway.jwt_audiences)
    return {"selector": {"matchLabels": selector(server.name)}, "jwtRules": [rule]}


def authorization_policy(server: Server, expose: Expose, gateway: Gateway) -> Spec:
    """Refuses what comes from outside without a good token: by its host, and by the gateway's identity."""
    nobody = {"notRequestPrincipals": ["*"]}
    return {
        "selector": {"matchLabels": selector(server.name)},
        "action": "DENY",
        "rules": [
            {
                "from": [{"source": nobody}],
                "to": [{"operation": {"hosts": [expose.host, f"{expose.host}:*"]}}],
            },
            {"from": [{"source": {"namespaces": [gateway.namespace], **nobody}}]},
        ],
    }


def _exactly(paths: Sequence[str]) -> tuple[dict[str, str], ...]:
    return tuple({"exact": path} for path in paths)
