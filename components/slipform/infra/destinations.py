"""How connections to a server's pods are made, and which pods are whose: Istio's DestinationRule, as plain data."""

from __future__ import annotations

from collections.abc import Sequence

from ..engines.base import Server
from ..engines.sizes import instances_per_replica
from ..spec.modelspec import ModelSpec
from .platform import CANDIDATE, STABLE, selector
from .routes import Spec, delegated, istio_duration

TRACKS = (STABLE, CANDIDATE)


def destination_rule_name(server: str, spec: ModelSpec) -> str:
    """One of its own where a controller writes the subsets: what it wrote must not outlive the rollout's kind."""
    return f"{server}-progressive" if delegated(spec) else server


def destination_rule(server: Server) -> Spec:
    """How connections to the server's pods are made, and the tracks' pods."""
    return {
        # A name without dots is completed by Istio with this namespace and the cluster's own domain.
        "host": server.name,
        "trafficPolicy": _traffic_policy(server),
        "subsets": [
            # A controller adds the label rollouts-pod-template-hash, which alone tells its versions apart.
            {"name": track, "labels": selector(server.name, None if delegated(server.spec) else track)}
            for track in TRACKS
        ],
    }


def capacity(specs: Sequence[ModelSpec]) -> int:
    """Requests that all replicas together can hold, executing or waiting: one more is refused by a server anyway."""
    waiting = sum(spec.serving.batching.max_queue_size for spec in specs)
    executing = sum(max(1, spec.serving.batching.max_batch_size) * instances_per_replica(spec) for spec in specs)
    return specs[0].scaling.max_replicas * (waiting + executing)


def _traffic_policy(server: Server) -> Spec:
    """Limits are each client's own; gRPC speaks HTTP/2 because its port is named grpc."""
    spec = server.spec
    requests, outliers = capacity(server.specs), spec.traffic.outlier_detection
    policy: Spec = {
        "loadBalancer": {"simple": "LEAST_REQUEST"},
        "connectionPool": {
            "tcp": {
                "connectTimeout": "1s",  # within a cluster; ten by default, longer than most requests may take
                "maxConnections": requests,
            },
            "http": {
                "http1MaxPendingRequests": requests,
                "http2MaxRequests": requests,
                # A fifth: enough for a replica that goes, too little for a storm that keeps a full server full.
                "maxRetries": max(1, requests // 5),
            },
        },
        "outlierDetection": {
            "consecutive5xxErrors": outliers.consecutive_errors,
            "interval": istio_duration(outliers.interval),
            "baseEjectionTime": istio_duration(outliers.ejection_time),
            "maxEjectionPercent": outliers.max_ejection_percent,
        },
    }
    if spec.expose and spec.expose.auth == "jwt":
        # The token is checked by the pod's sidecar. A pod without one would check nothing, so it must get nothing.
        policy["tls"] = {"mode": "ISTIO_MUTUAL"}
    return policy
