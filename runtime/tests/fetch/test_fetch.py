"""Filling a model repository, from real files and a real web server."""

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slipform_runtime import cli
from slipform_runtime.fetch import DigestError, ManifestError, UnreachableError, fetch
from slipform_runtime.fetch.digest import folder_sha256


def manifest(folder: Path, *versions: dict[str, Any], **model: Any) -> Path:
    path = folder / "manifest.json"
    path.write_text(json.dumps({"models": [{"name": "wine", "versions": list(versions), **model}]}))
    return path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A version's folder with a nested file."""
    folder = tmp_path / "store" / "1"
    (folder / "data").mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"model")
    (folder / "data" / "weights.bin").write_bytes(b"weights")
    return folder.parent


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_folder_comes_whole(tmp_path: Path, store: Path) -> None:
    lines = f"{sha(b'model')}  model.onnx\n", f"{sha(b'weights')}  data/weights.bin\n"
    digest = sha("".join(sorted(lines)).encode())
    to = tmp_path / "models"
    assert fetch(manifest(tmp_path, {"version": 1, "uri": f"file://{store}", "sha256": digest}), to) == [to / "wine/1"]
    assert (to / "wine/1/model.onnx").read_bytes() == b"model"
    assert (to / "wine/1/data/weights.bin").read_bytes() == b"weights"


def test_one_file_is_stored_under_its_new_name(tmp_path: Path, store: Path) -> None:
    one = {"version": 7, "uri": f"file://{store}/1/model.onnx", "sha256": sha(b"model"), "filename": "m.onnx"}
    fetch(manifest(tmp_path, one), tmp_path / "models")
    assert (tmp_path / "models/wine/7/m.onnx").read_bytes() == b"model"


def test_a_file_uri_is_relative_to_the_working_directory(
    tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fetch(manifest(tmp_path, {"version": 1, "uri": "file:store"}), tmp_path / "models")
    assert (tmp_path / "models/wine/1/model.onnx").is_file()


def test_the_config_becomes_config_pbtxt(tmp_path: Path, store: Path) -> None:
    (tmp_path / "wine.config.pbtxt").write_text("max_batch_size: 8")
    path = manifest(tmp_path, {"version": 1, "uri": f"file://{store}"}, config="wine.config.pbtxt")
    fetch(path, tmp_path / "models")
    assert (tmp_path / "models/wine/config.pbtxt").read_text() == "max_batch_size: 8"


def test_files_beside_the_manifest_go_where_it_says_in_the_models_folder(tmp_path: Path, store: Path) -> None:
    (tmp_path / "wine.manifest.json").write_text("{}")
    files = {"MAR-INF/MANIFEST.json": "wine.manifest.json"}
    path = manifest(tmp_path, {"version": 1, "uri": f"file://{store}"}, files=files)
    for _ in range(2):  # a pod that is started again
        fetch(path, tmp_path / "models")
    assert (tmp_path / "models/wine/MAR-INF/MANIFEST.json").read_text() == "{}"
    assert sorted(found.name for found in (tmp_path / "models/wine").iterdir()) == ["1", "MAR-INF"]


@pytest.mark.parametrize(
    ("target", "file", "words"),
    [
        ("handler.py", "missing.py", "which is not beside it"),
        ("1/model.onnx", "wine.py", "into a version's folder"),
        ("../other/handler.py", "wine.py", "matching regex"),
        ("/etc/passwd", "wine.py", "matching regex"),
        ("handler.py", "../wine.py", "matching regex"),
    ],
)
def test_a_file_that_is_not_there_or_leads_elsewhere_is_refused(
    tmp_path: Path, store: Path, target: str, file: str, words: str
) -> None:
    (tmp_path / "wine.py").write_text("")
    path = manifest(tmp_path, {"version": 1, "uri": f"file://{store}"}, files={target: file})
    with pytest.raises(ManifestError, match=words):
        fetch(path, tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_a_version_from_nowhere_is_an_ensembles_empty_folder(tmp_path: Path) -> None:
    to = tmp_path / "models"
    for _ in range(2):
        assert fetch(manifest(tmp_path, {"version": 5}), to) == [to / "wine/5"]
    assert list((to / "wine/5").iterdir()) == []


def test_another_digest_leaves_nothing(tmp_path: Path, store: Path) -> None:
    path = manifest(tmp_path, {"version": 1, "uri": f"file://{store}", "sha256": "0" * 64})
    with pytest.raises(DigestError, match="manifest wants 0000"):
        fetch(path, tmp_path / "models")
    assert list((tmp_path / "models/wine").iterdir()) == []


def test_what_is_there_is_not_fetched_again(tmp_path: Path, store: Path) -> None:
    path = manifest(tmp_path, {"version": 1, "uri": f"file://{store}", "sha256": folder_sha256(store / "1")})
    fetch(path, tmp_path / "models")
    before = (tmp_path / "models/wine/1").stat().st_ino
    (store / "1" / "model.onnx").unlink()  # a second fetch would fail
    fetch(path, tmp_path / "models")
    assert (tmp_path / "models/wine/1").stat().st_ino == before


def test_a_changed_version_replaces_the_old_one(tmp_path: Path, store: Path) -> None:
    path = manifest(tmp_path, {"version": 1, "uri": f"file://{store}"})
    fetch(path, tmp_path / "models")
    (store / "1" / "model.onnx").write_bytes(b"newer")
    fetch(path, tmp_path / "models")
    assert (tmp_path / "models/wine/1/model.onnx").read_bytes() == b"newer"
    assert [entry.name for entry in (tmp_path / "models/wine").iterdir()] == ["1"]


class _Flaky(http.server.BaseHTTPRequestHandler):
    failures = 0
    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        if type(self).asked <= type(self).failures:
            self.send_error(503)
            return
        if self.path != "/model.onnx":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"model")

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr("slipform_runtime.fetch.fetching._FIRST_WAIT_SECONDS", 0.001)
    _Flaky.asked = _Flaky.failures = 0
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Flaky)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_busy_web_server_is_asked_again(tmp_path: Path, web: str) -> None:
    _Flaky.failures = 2
    fetch(manifest(tmp_path, {"version": 1, "uri": f"{web}/model.onnx"}), tmp_path / "models")
    assert (tmp_path / "models/wine/1/model.onnx").read_bytes() == b"model"
    assert _Flaky.asked == 3


def test_a_missing_file_is_not_asked_for_again(tmp_path: Path, web: str) -> None:
    with pytest.raises(UnreachableError, match="404"):
        fetch(manifest(tmp_path, {"version": 1, "uri": f"{web}/other.onnx"}), tmp_path / "models")
    assert _Flaky.asked == 1


def test_a_web_server_that_stays_away_is_given_up(tmp_path: Path, web: str) -> None:
    _Flaky.failures = 99
    with pytest.raises(UnreachableError, match="after 4 tries"):
        fetch(manifest(tmp_path, {"version": 1, "uri": f"{web}/model.onnx"}), tmp_path / "models")


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ({"version": 1, "uri": "ftp://host/model"}, "no scheme that can be fetched"),
        ({"version": 0, "uri": "file:x"}, ">= 1"),
        ({"version": 1, "filename": "model.onnx"}, "has no uri"),
        ({"version": 1, "uri": "file:x", "sha256": "abc"}, "sha256"),
        ({"version": 1, "uri": "file:x", "shasum": "abc"}, "shasum"),
        ({"version": 1, "uri": "file:x.onnx", "filename": "../x"}, "filename"),
        ({"version": 1, "uri": "http://127.0.0.1:1/folder"}, "lists none"),
    ],
)
def test_a_wrong_manifest_is_refused(tmp_path: Path, version: dict[str, Any], words: str) -> None:
    with pytest.raises(ManifestError, match=words):
        fetch(manifest(tmp_path, version), tmp_path / "models")


def test_a_model_name_leads_out_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text('{"models": [{"name": "../wine", "versions": []}]}')
    with pytest.raises(ManifestError, match="name"):
        fetch(tmp_path / "m.json", tmp_path / "models")


def test_a_missing_extra_says_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr("slipform_runtime.fetch.sources.import_module", missing)
    with pytest.raises(ManifestError, match=r"slipform-runtime\[s3\]"):
        fetch(manifest(tmp_path, {"version": 1, "uri": "s3://bucket/wine"}), tmp_path / "models")


@pytest.mark.parametrize(
    ("version", "code"),
    [
        ({"version": 1, "uri": "file:{store}"}, 0),
        ({"version": 1, "uri": "ftp://host/wine"}, 2),
        ({"version": 9, "uri": "file:{store}"}, 3),
        ({"version": 1, "uri": "file:{store}", "sha256": "0" * 64}, 4),
    ],
)
def test_the_exit_code_says_what_happened(tmp_path: Path, store: Path, version: dict[str, Any], code: int) -> None:
    version["uri"] = version["uri"].replace("{store}", str(store))
    path = manifest(tmp_path, version)
    assert cli.main(["fetch", "--manifest", str(path), "--to", str(tmp_path / "models")]) == code


def test_an_object_store_is_read_through_fsspec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory_module = pytest.importorskip("fsspec.implementations.memory")

    class Store(memory_module.MemoryFileSystem):  # type: ignore[misc, name-defined]
        """The interface that s3fs and gcsfs have, without their servers."""

        protocol = ("s3", "memory")

        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            return "/" + path.removeprefix("s3://").lstrip("/")

    store = Store()
    store.pipe({"/bucket/wine/1/model.onnx": b"model", "/bucket/wine/1/data/w.bin": b"weights"})
    monkeypatch.setattr("fsspec.filesystem", lambda scheme: store)
    fetch(manifest(tmp_path, {"version": 1, "uri": "s3://bucket/wine"}), tmp_path / "models")
    assert (tmp_path / "models/wine/1/data/w.bin").read_bytes() == b"weights"
