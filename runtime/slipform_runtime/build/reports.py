"""The report's three files: for programs, for people, and drawn."""

from pathlib import Path
from tempfile import TemporaryFile

from slipform_runtime.build.errors import CannotWrite
from slipform_runtime.build.markdown import markdown
from slipform_runtime.build.picture import picture
from slipform_runtime.build.report import REPORT, Report, encoded


def must_be_writable(folder: Path) -> None:
    """Raise CannotWrite before the long work, where it would end in vain."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise CannotWrite(f"{folder} can't be written: {error.strerror or error}") from error


def write_reports(report: Report, folder: Path) -> None:
    """`report.json`, `report.md` and `report.svg` in `folder`."""
    try:
        (folder / REPORT).write_bytes(encoded(report))
        (folder / "report.md").write_text(markdown(report), encoding="utf-8")
        (folder / "report.svg").write_text(picture(report), encoding="utf-8")
    except OSError as error:
        raise CannotWrite(f"{folder} can't be written: {error.strerror or error}") from error
