"""``slipform new``: what it writes, what it refuses, and that nothing is left half-written."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from typer.testing import CliRunner

from slipform import __version__
from slipform.cli.app import app
from slipform.spec.findings import SlipformError
from slipform.starting import repository, requirement
from slipform.starting.repository import Written, write_repository

from .environment import ROOT

TEMPLATES = ROOT / "components" / "slipform" / "starting" / "templates"


def files(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


def test_all_files_are_there_and_nothing_else(tmp_path: Path) -> None:
    written = write_repository(tmp_path / "acme" / "models")
    assert files(tmp_path) == {f"acme/models/{file}" for file in written.files}
    assert (tmp_path / "acme" / "models").stat().st_mode == (tmp_path / "acme").stat().st_mode


def test_its_program_and_its_model_are_those_of_the_working_example() -> None:
    assert (TEMPLATES / "program.py.j2").read_bytes() == (ROOT / "stacks" / "__main__.py").read_bytes()
    example = ROOT / "model_specs" / "models" / "iris" / "1" / "model.onnx"
    assert (TEMPLATES / "iris.onnx").read_bytes() == example.read_bytes()


@pytest.mark.parametrize(
    ("folder", "given", "name"),
    [
        ("models", None, "models"),
        ("Our models!", None, "Our-models"),
        ("models", "acme.models_2", "acme.models_2"),
    ],
)
def test_the_project_is_named_by_its_folder_or_as_one_says(
    tmp_path: Path, folder: str, given: str | None, name: str
) -> None:
    write_repository(tmp_path / folder, given)
    assert yaml.safe_load((tmp_path / folder / "Pulumi.yaml").read_text(encoding="utf-8"))["name"] == name


@pytest.mark.parametrize(
    ("folder", "given", "says"),
    [
        ("models", "our models", "write our-models"),
        ("models", "", "no project's name"),
        ("models", "a" * 101, "no project's name"),
        ("…", None, "--name"),
    ],
)
def test_a_name_that_pulumi_does_not_take_is_refused(tmp_path: Path, folder: str, given: str | None, says: str) -> None:
    with pytest.raises(SlipformError, match=says):
        write_repository(tmp_path / folder, given)
    assert not files(tmp_path)


def test_a_folder_with_a_git_repository_is_filled(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "LICENSE").write_text("ours", encoding="utf-8")
    written = write_repository(tmp_path, "models")
    assert files(tmp_path) == {*written.files, "LICENSE"}


@pytest.mark.parametrize("there", ["README.md", "stacks/__main__.py", ".github/dependabot.yml"])
def test_nothing_is_written_over(tmp_path: Path, there: str) -> None:
    (tmp_path / there).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / there).write_text("mine", encoding="utf-8")
    with pytest.raises(SlipformError, match=f"has {there.split('/')[0]} already; nothing was written"):
        write_repository(tmp_path, "models")
    assert files(tmp_path) == {there}
    assert (tmp_path / there).read_text(encoding="utf-8") == "mine"


def test_a_dangling_link_is_in_the_way_too(tmp_path: Path) -> None:
    (tmp_path / "README.md").symlink_to(tmp_path / "nowhere")
    with pytest.raises(SlipformError, match=r"README\.md"):
        write_repository(tmp_path, "models")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("", encoding="utf-8")
    with pytest.raises(SlipformError, match="can't be written"):
        write_repository(tmp_path / "models")


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("problem", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_nothing_is_left_of_what_could_not_be_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: BaseException, exists: bool
) -> None:
    folder = tmp_path / "models"
    if exists:
        folder.mkdir()
    rename = Path.rename
    renamed: list[Path] = []

    def fails_late(self: Path, target: Path) -> Path:
        if (Path(target).parent == folder and len(renamed) == 3) or target == folder:
            renamed.append(self)
            raise problem
        renamed.append(self)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails_late)
    with pytest.raises((SlipformError, KeyboardInterrupt)):
        write_repository(folder)
    assert list(tmp_path.rglob("*")) == ([folder] if exists else [])


def test_it_says_what_was_written_and_what_to_do_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(repository, "requirements", lambda: ("slipform[serve]==0.1.0", ()))
    done = CliRunner().invoke(app, ["new", "models"])
    assert done.exit_code == 0
    assert "wrote models, the project models:" in done.output
    assert "  cd models\n  slipform plan -s dev" in done.output
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert "  cd " not in CliRunner().invoke(app, ["new", "."]).output


# -- requirements.txt ----------------------------------------------------------------------------


def origins(monkeypatch: pytest.MonkeyPatch, **texts: dict[str, object] | None) -> None:
    """What the installer wrote of each package's origin; None: it came from an index."""

    def found(name: str) -> object:
        key = name.replace("-", "_")
        if key not in texts:
            raise PackageNotFoundError(name)
        origin = texts[key]
        return SimpleNamespace(read_text=lambda _: json.dumps(origin) if origin else None)

    monkeypatch.setattr(requirement, "distribution", found)


GIT: dict[str, object] = {
    "url": "https://git.example.com/slipform.git",
    "vcs_info": {"vcs": "git", "commit_id": "1f2e3d"},
}


def test_requirements_pin_the_release_that_wrote_them(monkeypatch: pytest.MonkeyPatch) -> None:
    origins(monkeypatch, slipform=None, slipform_runtime=None)
    assert requirement.requirements() == (f"slipform[serve]=={__version__}", ())


def test_requirements_pin_the_commit_where_there_was_no_release(monkeypatch: pytest.MonkeyPatch) -> None:
    origins(monkeypatch, slipform=GIT, slipform_runtime={**GIT, "subdirectory": "runtime"})
    assert requirement.requirements() == (
        "slipform[serve] @ git+https://git.example.com/slipform.git@1f2e3d\n"
        "slipform-runtime @ git+https://git.example.com/slipform.git@1f2e3d#subdirectory=runtime",
        (),
    )


def test_an_installation_from_a_file_is_a_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    origins(monkeypatch, slipform={"url": "file:///home/me/slipform.whl", "archive_info": {}})
    lines, (doubt,) = requirement.requirements()
    assert lines == f"slipform[serve]=={__version__}"
    assert "where your colleagues and your CI get it" in doubt


def test_what_is_written_is_what_this_installation_would_read(tmp_path: Path) -> None:
    assert distribution("slipform").version == __version__
    written: Written = write_repository(tmp_path / "models")
    text = (tmp_path / "models" / "requirements.txt").read_text(encoding="utf-8")
    assert text.endswith(f"{requirement.requirements()[0]}\n")
    assert written.doubts == requirement.requirements()[1]
