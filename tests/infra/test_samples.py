"""Series made of an engine's queries, for the tests of rules."""

from __future__ import annotations

import pytest

from slipform.infra.rules.samples import constant, selectors, traffic
from slipform.spec.units import Duration

MINUTE = Duration.parse("1m")
POD = {"pod": "a"}


@pytest.mark.parametrize(
    ("matchers", "sample"),
    [
        ('model="resnet50"', {"model": "resnet50"}),
        ('code=~"5..|429"', {"code": "500"}),
        ('code=~"(4|8)"', {"code": "4"}),
        ('le=~"100|100\\\\.0"', {"le": "100"}),
        ('reason!="CANCELED"', {}),
        ('pod!="",track!~"candidate|shadow"', {"pod": "x"}),
        ('path=~".+"', {"path": "0"}),
    ],
)
def test_a_sample_is_accepted_by_its_selector(matchers: str, sample: dict[str, str]) -> None:
    (selector,) = selectors(f"sum(metric{{{matchers}}})")
    assert selector.sample == sample
    assert selector.accepts("metric", selector.sample)


def test_a_pattern_that_no_sample_is_known_for_is_refused() -> None:
    (selector,) = selectors('metric{code=~"[45]xx"}')
    with pytest.raises(ValueError, match="no sample is known for metric"):
        _ = selector.sample


def test_a_query_with_a_range_reads_counters_and_one_without_reads_gauges() -> None:
    assert [(one.metric, one.ranged) for one in selectors('rate(a_total{x="1"}[5m]) + b{x="1"} + b{x="1"}')] == [
        ("a_total", True),
        ("b", False),
    ]
    assert constant('sum(b{x="1"})', POD, MINUTE, value=3) == {'b{x="1",pod="a"}': "3+0x2"}
    assert constant('sum(rate(a_total{x="1"}[5m]))', POD, MINUTE, value=2) == {'a_total{x="1",pod="a"}': "0+60x2"}


def test_traffic_of_one_counter_with_a_status() -> None:
    made = traffic('rate(n{m="r"}[5m])', 'rate(n{m="r",code=~"5.."}[5m])', POD, MINUTE, rate=10, failing=0.1)
    assert made == {'n{m="r",pod="a"}': "0+270x2", 'n{m="r",code="500",pod="a"}': "0+30x2"}


def test_traffic_of_a_counter_of_answers_and_one_of_failures_by_reason() -> None:
    requests = 'rate(ok{m="r"}[5m]) + rate(failed{m="r"}[5m])'
    errors = 'rate(failed{m="r",reason!="CANCELED"}[5m])'
    made = traffic(requests, errors, POD, MINUTE, rate=10, failing=0.1)
    assert made == {'ok{m="r",pod="a"}': "0+270x2", 'failed{m="r",pod="a"}': "0+30x2"}


def test_queries_that_do_not_tell_good_from_bad_are_refused() -> None:
    with pytest.raises(ValueError, match="do not tell"):
        traffic('rate(n{m="r"}[5m])', 'rate(n{m="r"}[5m])', POD, MINUTE, rate=10, failing=0.1)
