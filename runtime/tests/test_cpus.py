"""How many threads a server takes: what it is told, else what its cgroup grants it."""

import pytest

from slipform_runtime.cpus import available_cpus


def test_a_pod_without_a_limit_is_told_what_it_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPFORM_CPUS", "3")
    assert available_cpus() == 3


@pytest.mark.parametrize("told", ["", "0", "-1", "two"])
def test_what_is_no_number_is_not_heard(monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    monkeypatch.delenv("SLIPFORM_CPUS", raising=False)
    counted = available_cpus()
    monkeypatch.setenv("SLIPFORM_CPUS", told)
    assert available_cpus() == counted >= 1
