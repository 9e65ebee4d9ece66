"""Images that nobody has pushed yet: a new repository's stacks have a digest of zeros in their place."""

from __future__ import annotations

from collections.abc import Iterator

from ..spec.findings import Finding
from ..spec.stack import IMAGES, StackConfig

NO_DIGEST = "0" * 64


def stack_problems(stack: StackConfig) -> Iterator[Finding]:
    """The paths are the stack config's."""
    for field in IMAGES:
        image = getattr(stack.images, field)
        if image is not None and image.endswith(NO_DIGEST):
            yield Finding(
                "a digest of zeros stands for an image: no pod could pull it",
                path=("images", field),
                severity="warning",
                given=image,
                remedy="push the image and write its digest; `slipform pin` asks the registry for it and writes it",
            )
