"""What is wrong with a spec's traffic, rollout and address, alone and in its stack; needs no Pulumi."""

from __future__ import annotations

from collections.abc import Iterator

from ..engines import registry
from ..engines.metrics import Histogram, Metrics, NoHistogram
from ..spec.findings import FieldPath, Finding
from ..spec.modelspec import ModelSpec
from ..spec.rollout import AB, Analysis, BlueGreen, Canary
from ..spec.stack import Capability, StackConfig
from ..spec.traffic import Expose
from ..spec.units import Duration

NEEDS: dict[Capability, tuple[str, str]] = {
    "istio": (
        "Istio",
        "it asks for half a processor and 2 GiB for istiod, and 0.1 processors and 128 MiB for each pod's sidecar: "
        "https://istio.io/latest/docs/setup/getting-started/",
    ),
    "argo-rollouts": (
        "Argo Rollouts",
        "one small controller: https://argo-rollouts.readthedocs.io/en/stable/installation/",
    ),
    "prometheus-operator": (
        "a Prometheus that the Prometheus Operator runs",
        "kube-prometheus-stack is the usual way: https://github.com/prometheus-operator/kube-prometheus",
    ),
}
COOKIE_DELIMITERS = frozenset(' ",;\\')
"""RFC 6265, section 4.1.1: what a cookie's value never holds, beside control characters."""


def problems(spec: ModelSpec, stack: StackConfig | None) -> Iterator[Finding]:
    """What keeps the traffic from going as the spec says; without a stack, what can be known of the spec alone."""
    yield from _retries(spec)
    yield from _versions(spec)
    if isinstance(spec.rollout, AB):
        yield from _cookie(spec.rollout)
    if spec.progressive:
        yield from _judged_in_time(spec)
    if stack is not None:
        yield from _controllers(spec, stack)
        yield from _clients(spec, stack)
        if spec.expose is not None:
            yield from _address(spec.expose, stack)
        if spec.progressive:
            yield from _analysis(spec, stack)


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


def _versions(spec: ModelSpec) -> Iterator[Finding]:
    rollout = spec.rollout
    if rollout is None or rollout.candidate is None:
        return
    stable, candidate = spec.model.version, rollout.candidate.version
    if candidate == stable:
        yield Finding(
            "the candidate is the version that is served already",
            path=("rollout", "candidate", "version"),
            given=str(candidate),
            allowed="another version than model.version",
            remedy="remove rollout if the release is over",
        )
    elif isinstance(rollout, BlueGreen) and rollout.active not in (stable, candidate):
        yield Finding(
            "neither of the two versions is active",
            path=("rollout", "active"),
            given=str(rollout.active),
            allowed=f"{stable} (model.version) or {candidate} (candidate.version)",
        )


def _cookie(rollout: AB) -> Iterator[Finding]:
    wrong = sorted(c for c in set(rollout.match) if c in COOKIE_DELIMITERS or not c.isascii() or not c.isprintable())
    if rollout.cookie is not None and wrong:
        yield Finding(
            f"no cookie has such a value: {', '.join(map(repr, wrong))} can't be in one",
            path=("rollout", "match"),
            given=rollout.match,
            allowed="the value as it is in the header, letters, digits and most ASCII signs",
        )


def _judged_in_time(spec: ModelSpec) -> Iterator[Finding]:
    rollout = spec.rollout
    match rollout:
        case Canary(steps=(*_, last) as steps, analysis=Analysis() as judged) if last.hold <= judged.time_to_abort:
            yield Finding(
                f"the last step holds for {last.hold}, but a bad version is taken back only after "
                f"{judged.time_to_abort}: it would be promoted before that",
                path=("rollout", "steps", len(steps) - 1, "hold"),
                given=str(last.hold),
                allowed=f"more than interval × (failure_limit + 1) + window = {judged.time_to_abort}",
                remedy="hold it for longer, or judge more often (analysis.interval)",
            )
        case BlueGreen(keep_for=Duration() as kept, analysis=Analysis() as judged) if kept <= judged.time_to_abort:
            yield Finding(
                f"the old version is kept for {kept}, but a bad one is found only after {judged.time_to_abort}: "
                "the way back would be a new start",
                path=("rollout", "keep_for"),
                severity="warning",
                given=str(kept),
                allowed=f"more than interval × (failure_limit + 1) + window = {judged.time_to_abort}",
            )


def _controllers(spec: ModelSpec, stack: StackConfig) -> Iterator[Finding]:
    if spec.rollout is not None:
        needed: tuple[Capability, ...] = ("istio",)
        if spec.progressive:
            # Blue-green switches a Service, which needs no mesh.
            mesh: tuple[Capability, ...] = () if isinstance(spec.rollout, BlueGreen) else ("istio",)
            needed = ("argo-rollouts", *mesh, "prometheus-operator")
        kind = "progressive" if spec.progressive else "declared"
        yield from _missing(f"a {kind} {spec.rollout.strategy} rollout", needed, ("rollout",), stack)
    if spec.expose is not None:
        yield from _missing("an address outside the cluster", ("istio",), ("expose",), stack)
    kept_by_mesh = {"retries", "outlier_detection"} & spec.traffic.model_fields_set
    if kept_by_mesh and stack.lacks("istio"):
        first = min(kept_by_mesh)
        yield Finding(
            f"{first} is what a mesh does, and this stack has none: it has no effect",
            path=("traffic", first),
            severity="warning",
            remedy=_remedy("istio"),
        )


def _missing(what: str, needed: tuple[Capability, ...], path: FieldPath, stack: StackConfig) -> Iterator[Finding]:
    for capability in needed:
        if stack.lacks(capability):
            yield Finding(
                f"{what} needs {NEEDS[capability][0]}, which this stack does not have",
                path=path,
                allowed=f"stacks whose slipform:has names {capability}",
                remedy=f"{_remedy(capability)}; or write {path[0]}: null for this stack under stacks",
            )


def _remedy(capability: Capability) -> str:
    name, how = NEEDS[capability]
    return f"install {name} and add {capability} to slipform:has ({how})"


def _clients(spec: ModelSpec, stack: StackConfig) -> Iterator[Finding]:
    if spec.traffic.clients is not None and stack.lacks("network-policy"):
        yield Finding(
            "nothing keeps other namespaces out: this stack's network does not know policies",
            path=("traffic", "clients"),
            severity="warning",
            given=", ".join(spec.traffic.clients),
            remedy="add network-policy to slipform:has if the cluster's network plugin keeps to NetworkPolicies",
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


def _analysis(spec: ModelSpec, stack: StackConfig) -> Iterator[Finding]:
    rollout = spec.rollout
    if not isinstance(rollout, Canary | BlueGreen) or rollout.analysis is None:
        return
    yield from _samples(rollout.analysis, stack)
    if isinstance(rollout, BlueGreen):
        yield Finding(
            "before the switch only those requests are judged that you send to the preview Service; "
            "everybody's are judged after it, and a bad version is switched back then",
            path=("rollout", "analysis"),
            severity="warning",
            remedy=f"send test requests to {spec.server}-preview, or use a canary",
        )
    if rollout.analysis.max_p95_latency is not None and (metrics := _metrics(spec, stack)):
        yield from _latency(rollout.analysis.max_p95_latency, metrics)


def _samples(analysis: Analysis, stack: StackConfig) -> Iterator[Finding]:
    least = 2 * stack.prometheus.scrape_interval
    if analysis.window.seconds < least:
        yield Finding(
            f"a rate over {analysis.window} has no two samples: Prometheus looks every "
            f"{stack.prometheus.scrape_interval}s, so everything would pass",
            path=("rollout", "analysis", "window"),
            given=str(analysis.window),
            allowed=f"at least {least}s, better {2 * least}s",
        )


def _latency(bound: Duration, metrics: Metrics) -> Iterator[Finding]:
    path: FieldPath = ("rollout", "analysis", "max_p95_latency")
    match metrics.latency:
        case NoHistogram(reason=reason, remedy=remedy):
            yield Finding(
                f"the latency can't be judged: {reason}",
                path=path,
                given=str(bound),
                remedy=remedy or "judge by max_error_rate alone",
            )
        case Histogram(extensible=False) as histogram if histogram.bound(bound) > max(histogram.buckets):
            yield Finding(
                "the bound is over the server's largest bucket, so nothing would ever be over it",
                path=path,
                given=str(bound),
                allowed=f"at most {max(histogram.buckets):g}{histogram.unit}",
            )
        case Histogram() as histogram if histogram.le(bound) is None:
            yield Finding(
                "the bound is no bucket of the server's histogram: the percentile is a guess between two of them",
                path=path,
                severity="warning",
                given=str(bound),
                remedy=f"the nearest bucket is {histogram.nearest(bound):g}{histogram.unit}",
            )


def _metrics(spec: ModelSpec, stack: StackConfig) -> Metrics | None:
    """What the engine measures, or None where there is no such engine, which is somebody else's finding."""
    try:
        return registry.engine(spec.serving.engine).metrics(stack)
    except registry.UnknownEngine:
        return None
