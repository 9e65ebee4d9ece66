"""``slipform validate``: exit codes, the three ways to say it, and where it may be called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Run


def break_iris(project: Path) -> None:
    file = project / "model_specs" / "iris.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("max_batch_size: 64", "max_batch_size: 64, prefered: [8]"), encoding="utf-8")


def test_right_specs_end_with_0(slipform: Run) -> None:
    done = slipform("validate")
    assert (done.returncode, done.stdout) == (0, "4 specs: 0 errors, 0 warnings\n")


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_right_specs_are_right_in_each_stack(slipform: Run, stack: str) -> None:
    done = slipform("validate", "-s", stack)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_mistake_ends_with_2_and_names_file_line_and_column(slipform: Run, project: Path) -> None:
    break_iris(project)
    done = slipform("validate")
    assert done.returncode == 2
    assert "model_specs/iris.yaml:17:34: error: serving.batching.prefered: unknown field" in done.stdout
    assert "did you mean 'preferred_batch_sizes'?" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_json_holds_the_same_for_programs(slipform: Run, project: Path) -> None:
    break_iris(project)
    (finding,) = json.loads(slipform("validate", "--format", "json").stdout)
    assert finding["file"] == "model_specs/iris.yaml"
    assert (finding["line"], finding["column"], finding["severity"]) == (17, 34, "error")
    assert finding["field"] == "serving.batching.prefered"


def test_github_shows_it_beside_the_line(slipform: Run, project: Path) -> None:
    break_iris(project)
    (line,) = slipform("validate", "--format", "github").stdout.splitlines()
    assert line.startswith("::error file=model_specs/iris.yaml,line=17,col=34,title=serving.batching.prefered::unknown")
    assert "%0A" in line


def test_paths_in_specs_mean_the_same_from_any_folder(slipform: Run, project: Path) -> None:
    for folder in (project, project / "stacks", project / "model_specs"):
        done = slipform("validate", "-s", "prod", cwd=folder)
        assert (done.returncode, done.stdout) == (0, "4 specs: 0 errors, 0 warnings\n")


def test_one_spec_can_be_named(slipform: Run) -> None:
    assert slipform("validate", "model_specs/iris.yaml").stdout == "1 spec: 0 errors, 0 warnings\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("validate", "-s", "prd"), "no stack 'prd': did you mean 'prod'?"),
        (("validate", "nowhere.yaml"), "can't be read: No such file or directory"),
        (("validate", "stacks/../empty"), "can't be read"),
        (("validate", "--format", "xml"), "Invalid value for '--format'"),
    ],
)
def test_a_wrong_call_ends_with_2_and_says_why(slipform: Run, arguments: tuple[str, ...], said: str) -> None:
    done = slipform(*arguments)
    assert done.returncode == 2
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_project_a_named_spec_is_checked(slipform: Run, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "a.yaml").write_text("slipform: v1\n", encoding="utf-8")
    done = slipform("validate", "a.yaml", cwd=folder)
    assert done.returncode == 2
    assert "name: missing" in done.stdout
    assert "no Pulumi.yaml" in slipform("validate", cwd=folder).stderr


def test_two_specs_of_one_name_are_refused(slipform: Run, project: Path) -> None:
    specs = project / "model_specs"
    (specs / "copy.yaml").write_text((specs / "iris.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    done = slipform("validate")
    assert done.returncode == 2
    assert "two specs are named iris" in done.stdout


@pytest.mark.parametrize("written", ["true", '"true"', "'false'"])
def test_a_scalar_of_the_stacks_config_may_be_as_pulumi_rewrites_it(slipform: Run, project: Path, written: str) -> None:
    file = project / "stacks" / "Pulumi.dev.yaml"
    file.write_text(f"{file.read_text(encoding='utf-8')}  slipform:protected: {written}\n", encoding="utf-8")
    done = slipform("plan", "-s", "dev")
    assert done.returncode == 0, done.stderr


def test_a_typo_in_the_stacks_config_is_found_with_its_place(slipform: Run, project: Path) -> None:
    file = project / "stacks" / "Pulumi.dev.yaml"
    file.write_text(file.read_text(encoding="utf-8") + "  slipform:protectd: true\n", encoding="utf-8")
    done = slipform("validate", "-s", "dev")
    assert done.returncode == 2
    assert "stacks/Pulumi.dev.yaml:10:3: error: protectd: unknown field" in done.stdout
    assert "did you mean 'protected'?" in done.stdout


def test_a_name_in_place_of_a_file_is_told_the_file(slipform: Run) -> None:
    for command in ("validate", "serve"):
        done = slipform(command, "iris")
        assert done.returncode == 2
        assert done.stderr == "slipform: iris: there is no such file; did you mean model_specs/iris.yaml?\n"
