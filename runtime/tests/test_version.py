"""The version that the server names is the one that is released."""

import tomllib
from pathlib import Path

import slipform_runtime


def test_the_package_and_its_metadata_name_one_version() -> None:
    project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text())["project"]
    assert slipform_runtime.__version__ == project["version"]
