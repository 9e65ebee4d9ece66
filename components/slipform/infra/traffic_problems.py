"""What is wrong with a spec's traffic, rollout and address, alone and in its stack; needs no Pulumi."""

from __future__ import annotations

from collections.abc import Iterator

from ..engines.api import Api
from ..spec.findings import Finding
from ..spec.modelspec import ModelSpec
from ..spec.stack import StackConfig
from ..spec.traffic import Expose
from ..spec.units import Duration
from . import rollout_problems
from .capabilities import how_to_get, missing


def problems(spec: ModelSpec, stack: StackConfig | None) -> Iterator[Finding]:
    """What keeps the traffic from going as the spec says; without a stack, what can be known of the spec alone."""
    yield from _retries(spec)
    yield from rollout_problems.problems(spec, stack)
    if stack is not None:
        yield from _mesh(spec, stack)
        yield from _clients(spec, stack)
        if spec.expose is not None:
            yield from missing("an address outside the cluster", ("istio",), ("expose",), stack)
            yield from _address(spec.expose, stack)


def _retries(spec: ModelSpec) -> Iterator[Finding]:
    traffic, retries = spec.traffic, spec.traffic.retries
    tries = retries.attempts + 1
    if retries.per_try_timeout is None or retries.per_try_timeout > traffic.timeout:
        return  # an equal share always fits; a try that is longer than the whole is an error of its own
    if retries.per_try_timeout.microseconds * tries > traffic.timeout.microseconds:
        yield Finding(
            f"{tries} tries of {retries.per_try_timeout} take longer than the request may, {traffic.timeout}: "
            "the last ones are cut off",
            path=("traffic", "retries", "per_try_timeout"),
            severity="warning",
            given=str(retries.per_try_timeout),
            allowed=f"at most {Duration(traffic.timeout.microseconds // tries)} with {retries.attempts} retries",
            remedy="lower it, or leave it out: each try then has an equal share",
        )


def _mesh(spec: ModelSpec, stack: StackConfig) -> Iterator[Finding]:
    given = sorted({"retries", "outlier_detection"} & spec.traffic.model_fields_set)
    if given and stack.lacks("istio"):
        yield Finding(
            f"{' and '.join(given)}: a mesh does this, and this stack has none, so it has no effect",
            path=("traffic", given[0]),
            severity="warning",
            remedy=how_to_get("istio"),
        )


def _clients(spec: ModelSpec, stack: StackConfig) -> Iterator[Finding]:
    if spec.traffic.clients is not None and stack.lacks("network-policy"):
        yield Finding(
            "nothing keeps other namespaces out: this stack's network does not know policies",
            path=("traffic", "clients"),
            severity="warning",
            given=", ".join(spec.traffic.clients),
            remedy="add network-policy to slipform:has if the cluster's network plugin keeps to NetworkPolicies",
        )


def paths(spec: ModelSpec, api: Api) -> Iterator[Finding]:
    """What an address outside lets in: the engine's own paths, or those that the model's code chooses."""
    if spec.expose is None:
        return
    if api.own_paths and not spec.expose.paths:
        yield Finding(
            "nothing but the server's health is let in: the paths of inference are the model's own",
            path=("expose",),
            allowed="paths, with one for each method that may be called",
            remedy="add paths: [/predict], as the model's code names them",
        )
    if spec.expose.paths and not api.own_paths:
        yield Finding(
            f"the paths of {spec.serving.engine} are known, and let in",
            path=("expose", "paths"),
            given=", ".join(spec.expose.paths),
            remedy="remove it",
        )


def _address(expose: Expose, stack: StackConfig) -> Iterator[Finding]:
    gateway = stack.gateway
    if gateway is None:
        yield Finding(
            "this stack has no gateway",
            path=("expose",),
            given=expose.host,
            remedy="add slipform:gateway, such as {tls_secret: models-tls}; or write expose: null for this stack",
        )
        return
    if expose.auth == "jwt" and gateway.jwt_issuer is None:
        yield Finding(
            "whose tokens are good is not said: this stack's gateway has no jwt_issuer",
            path=("expose", "auth"),
            given="jwt",
            remedy="add jwt_issuer: https://… to slipform:gateway",
        )
    if gateway.name is None:
        if expose.tls_secret is None and gateway.tls_secret is None:
            yield Finding(
                f"no certificate for {expose.host}",
                path=("expose", "tls_secret"),
                remedy=f"name a Secret of namespace {gateway.namespace} here, or as slipform:gateway.tls_secret",
            )
        return
    if expose.auth == "mtls":
        yield Finding(
            f"the stack's gateway {gateway.name} decides by itself whether it asks for a client's certificate",
            path=("expose", "auth"),
            given="mtls",
            allowed="jwt or none with a gateway that is there already",
            remedy="leave slipform:gateway.name out, so that the model gets a gateway of its own",
        )
    if expose.tls_secret is not None:
        yield Finding(
            f"the stack's gateway {gateway.name} has a certificate of its own: this one is not used",
            path=("expose", "tls_secret"),
            severity="warning",
            given=expose.tls_secret,
            remedy="remove it",
        )
