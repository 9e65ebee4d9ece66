"""Kubernetes quantities: `1Gi` and `1024Mi` are one amount.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

_SUFFIXES = {
    "": Decimal(1),
    **{
        suffix: Decimal(10) ** power
        for power, suffix in zip((-9, -6, -3, 3, 6, 9, 12, 15, 18), "numkMGTPE", strict=True)
    },
    **{suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)},
}
_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:[eE]([+-]?[0-9]{1,2})|([numkMGTPE]|[KMGTPE]i)?)")

# Where a quantity stands: below one of these keys, or at one of those.
_BELOW = frozenset({"requests", "limits", "hard", "capacity", "min", "max", "default", "defaultRequest"})
_AT = frozenset({"averageValue", "sizeLimit", "storage", "divisor"})


def parse(value: Any) -> Decimal | None:
    """The amount, None for what is no quantity."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    match = _QUANTITY.fullmatch(str(value))
    if match is None:
        return None
    number, exponent, suffix = match.groups()
    return Decimal(number) * (Decimal(10) ** int(exponent) if exponent else _SUFFIXES[suffix or ""])


def is_same(path: tuple[str, ...], before: Any, after: Any) -> bool:
    """Whether two values at a place that holds a quantity are one amount, spelled differently."""
    here, above = path[-1] if path else "", path[-2] if len(path) > 1 else ""
    if here not in _AT and above not in _BELOW and not (here == "value" and above == "target"):
        return False
    amount = parse(before)
    return amount is not None and amount == parse(after)
