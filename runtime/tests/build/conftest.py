"""A workshop for each test."""

from pathlib import Path

import pytest

from runtime_testing.building import Workshop


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """Its scratch files go below the test's folder too, so that a test can see whether any are left."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    return Workshop(tmp_path)
