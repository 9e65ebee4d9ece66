"""What a mesh counts of an engine that does not count for itself."""

from __future__ import annotations

from pathlib import Path

from slipform.engines.mesh import ISTIO_ERRORS, ISTIO_REQUESTS

from .promql import assert_valid, assert_value, series, uses


def test_its_queries_are_valid_in_every_use(promtool: Path, tmp_path: Path) -> None:
    queries = [query for measure in (ISTIO_REQUESTS, ISTIO_ERRORS) for query in uses(measure)]
    assert_valid(promtool, tmp_path, queries)


def test_it_counts_errors_of_http_and_of_grpc(promtool: Path, tmp_path: Path) -> None:
    codes = [("200", ""), ("503", ""), ("429", ""), ("404", ""), ("200", "0"), ("200", "14"), ("200", "3")]
    loads = [
        series(
            "istio_requests_total",
            "0+15x40",
            reporter="destination",
            destination_workload="resnet50",
            response_code=code,
            grpc_response_status=status,
        )
        for code, status in codes
    ]
    query = ISTIO_ERRORS.promql('destination_workload="resnet50"')
    assert_value(promtool, tmp_path, query, loads, 3)
