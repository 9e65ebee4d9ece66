"""Images by digest; a tag may stand beside it, for people and for `slipform pin --check`."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from slipform.spec.stack import Images

DIGEST = f"sha256:{'1' * 64}"


@pytest.mark.parametrize(
    "image",
    [f"r.example.com/a@{DIGEST}", f"r.example.com:5000/a/b:26.08-py3@{DIGEST}", f"localhost:5001/a:v1_2@{DIGEST}"],
)
def test_a_digest_is_enough_and_a_tag_may_stand_before_it(image: str) -> None:
    assert Images(triton=image).triton == image


@pytest.mark.parametrize(
    "image",
    ["r.example.com/a", "r.example.com/a:1", f"a@{DIGEST}", f"r.example.com/a:-1@{DIGEST}", "r.example.com/a@sha256:1"],
)
def test_a_tag_alone_is_refused_and_the_way_to_its_digest_is_said(image: str) -> None:
    with pytest.raises(ValidationError, match="not an image by digest"):
        Images(triton=image)
