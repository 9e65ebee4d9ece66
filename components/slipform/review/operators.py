"""What an engine's operator takes out of our hands, and a spec may ask for nevertheless."""

from __future__ import annotations

from collections.abc import Iterator

from ..engines.base import Engine
from ..spec.findings import Finding
from ..spec.modelspec import ModelSpec


def problems(spec: ModelSpec, engine: Engine) -> Iterator[Finding]:
    """Its pods are made by the operator: there is one set of them, and our fetching container is not in them."""
    if not engine.has_operator:
        return
    if spec.rollout is not None:
        yield Finding(
            f"{engine.title} makes the pods itself, and of one version at a time",
            path=("rollout",),
            given=spec.rollout.strategy,
            remedy="remove rollout: a new model.version is rolled out by the operator",
        )
    if spec.model.uri and spec.model.uri.startswith("file:"):
        yield Finding(
            f"{engine.title} fetches the model itself, and reaches no file of this project",
            path=("model", "uri"),
            given=spec.model.uri,
            remedy="upload it to where the cluster reaches it, such as s3://BUCKET/NAME",
        )
