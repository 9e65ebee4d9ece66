"""Which image a server runs in."""

from __future__ import annotations

from ..spec.findings import SlipformError
from ..spec.modelspec import ModelSpec
from ..spec.stack import StackConfig
from .checks import ImageField


def image_of(spec: ModelSpec, stack: StackConfig, field: ImageField, title: str) -> str:
    """The spec's own, else the stack's, as nodes pull it. Raises SlipformError where there is neither.

    ``checks.has_images`` refuses that before.
    """
    image: str | None = spec.serving.image or getattr(stack.images, field)
    if image is None:
        raise SlipformError(f"the stack has no image of {title}: slipform:images.{field}")
    return stack.images.pulled(image)
