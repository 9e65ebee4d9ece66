"""Series that an engine's query reads, made of the query itself: so the tests of rules need no engine's name.

Engines write a query as PromQL with label matchers; a sample has labels that all matchers of one selector accept.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ...spec.units import Duration
from .kinds import rising, series, steady

_SELECTOR = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\{((?:[^{}\"]|\"(?:[^\"\\]|\\.)*\")*)\}(\[)?")
_UNIT = re.compile(r" / (1e[0-9]+)")
_MATCHER = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*\"((?:[^\"\\]|\\.)*)\"")


@dataclass(frozen=True)
class Selector:
    """One selector of a query: a metric, its matchers (label, operator, value), and whether a range is taken."""

    metric: str
    matchers: tuple[tuple[str, str, str], ...]
    ranged: bool

    def accepts(self, metric: str, labels: Mapping[str, str]) -> bool:
        return metric == self.metric and all(
            _accepts(operator, value, labels.get(label, "")) for label, operator, value in self.matchers
        )

    @property
    def sample(self) -> dict[str, str]:
        """Labels of a series that the selector accepts. Raises ValueError where none is found."""
        labels = {label: text for label, operator, value in self.matchers if (text := _example(operator, value))}
        if not self.accepts(self.metric, labels):
            raise ValueError(f"no sample is known for {self.metric} with {self.matchers}")
        return labels


def selectors(query: str) -> tuple[Selector, ...]:
    """The selectors of a query, each once, in order."""
    found = (
        Selector(
            metric,
            tuple((label, operator, _unescaped(value)) for label, operator, value in _MATCHER.findall(inner)),
            bool(bracket),
        )
        for metric, inner, bracket in _SELECTOR.findall(query)
    )
    return tuple(dict.fromkeys(found))


def traffic(
    requests: str, errors: str, pod: Mapping[str, str], lasting: Duration, *, rate: float, failing: float
) -> dict[str, str]:
    """Series of ``rate`` requests per second, of which the share ``failing`` fails, for an engine's two queries."""
    bad = selectors(errors)
    failed = {series(one.metric, {**one.sample, **pod}): rate * failing / len(bad) for one in bad}
    good = [
        one for one in selectors(requests) if not any(other.accepts(one.metric, {**one.sample, **pod}) for other in bad)
    ]
    if not good:
        raise ValueError("the queries do not tell which requests did not fail")
    answered = {series(one.metric, {**one.sample, **pod}): rate * (1 - failing) / len(good) for one in good}
    return {name: rising(value, lasting) for name, value in {**answered, **failed}.items()}


def constant(query: str, pod: Mapping[str, str], lasting: Duration, *, value: float) -> dict[str, str]:
    """Series for which a sum of gauges, or of rates of counters, is ``value``, in the unit that it is divided into."""
    read = selectors(query)
    each = value * math.prod(map(float, _UNIT.findall(query))) / len(read)
    return {
        series(one.metric, {**one.sample, **pod}): (rising if one.ranged else steady)(each, lasting) for one in read
    }


def _accepts(operator: str, value: str, label: str) -> bool:
    if operator in ("=", "!="):
        return (label == value) is (operator == "=")
    return bool(re.fullmatch(value, label)) is (operator == "=~")


def _example(operator: str, value: str) -> str:
    """A label's text for a matcher; empty where the label is better left out."""
    match operator:
        case "=":
            return value
        case "=~":
            first = value.partition("|")[0].strip("()")
            return re.sub(r"\\?\.[+*]?", lambda dot: dot[0][1:] if dot[0] == "\\." else "0", first)
        case "!=" if value == "":
            return "x"
    return ""


def _unescaped(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value)
