"""Downloads that are cut go on where they were, and only where the store still has the same file."""

import hashlib
import http.server
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from time import sleep
from typing import Any, ClassVar

import pytest

from slipform_runtime.fetch import UnreachableError, fetch
from slipform_runtime.fetch.meter import Meter
from slipform_runtime.fetch.resuming import beside

CONTENT = bytes(range(256)) * 4096
NEWER = CONTENT[::-1]


class Store(http.server.BaseHTTPRequestHandler):
    """A web server with one file, which sends at most `limit` bytes of it before it hangs up."""

    content, tag, limit, ranges = CONTENT, '"one"', len(CONTENT), True
    asked: ClassVar[list[str | None]] = []
    gate = threading.Event()
    """Set: it hangs up at once."""

    def do_GET(self) -> None:
        here = type(self)
        wanted = self.headers.get("Range")
        here.asked.append(wanted)
        found = re.match(r"bytes=(\d+)-", wanted or "")
        same = self.headers.get("If-Range") == here.tag
        start = int(found[1]) if found and here.ranges and same else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(here.content) - 1}/{len(here.content)}")
        self.send_header("ETag", here.tag)
        self.send_header("Content-Length", str(len(here.content) - start))
        self.end_headers()
        self.wfile.write(here.content[start : start + here.limit])
        self.wfile.flush()
        here.gate.wait(60)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr("slipform_runtime.fetch.fetching._FIRST_WAIT_SECONDS", 0.001)
    Store.content, Store.tag, Store.limit, Store.ranges, Store.asked = CONTENT, '"one"', len(CONTENT), True, []
    Store.gate.set()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/model.onnx"
    Store.gate.set()
    server.shutdown()
    server.server_close()


def manifest(folder: Path, uri: str, content: bytes | None = CONTENT) -> Path:
    path = folder / "manifest.json"
    version = {"version": 1, "uri": uri} | ({"sha256": hashlib.sha256(content).hexdigest()} if content else {})
    path.write_text(json.dumps({"models": [{"name": "wine", "versions": [version]}]}))
    return path


@pytest.mark.parametrize("pinned", [True, False])
def test_a_cut_download_asks_for_the_rest(tmp_path: Path, web: str, pinned: bool) -> None:
    Store.limit = 400_000
    (folder,) = fetch(manifest(tmp_path, web, CONTENT if pinned else None), tmp_path / "models")
    assert (folder / "model.onnx").read_bytes() == CONTENT
    assert Store.asked == [None, "bytes=400000-", "bytes=800000-"]
    assert [path.name for path in folder.parent.iterdir()] == ["1"]
    assert [path.name for path in folder.iterdir()] == ["model.onnx"]


def test_a_server_without_ranges_sends_it_anew(tmp_path: Path, web: str) -> None:
    Store.limit, Store.ranges = 400_000, False
    with pytest.raises(UnreachableError, match="ended after 400000 of 1048576 bytes"):
        fetch(manifest(tmp_path, web), tmp_path / "models")
    Store.limit = len(CONTENT)
    (folder,) = fetch(manifest(tmp_path, web), tmp_path / "models")
    assert (folder / "model.onnx").read_bytes() == CONTENT


def test_another_run_goes_on_where_the_first_gave_up(tmp_path: Path, web: str) -> None:
    Store.limit = 100_000
    with pytest.raises(UnreachableError, match="after 4 tries"):
        fetch(manifest(tmp_path, web), tmp_path / "models")
    Store.limit, Store.asked = len(CONTENT), []
    (folder,) = fetch(manifest(tmp_path, web), tmp_path / "models")
    assert Store.asked == ["bytes=400000-"]
    assert (folder / "model.onnx").read_bytes() == CONTENT


def test_a_file_that_has_changed_is_not_continued(tmp_path: Path, web: str) -> None:
    Store.limit = 100_000
    with pytest.raises(UnreachableError):
        fetch(manifest(tmp_path, web, None), tmp_path / "models")
    Store.limit, Store.content, Store.tag = len(CONTENT), NEWER, '"two"'
    (folder,) = fetch(manifest(tmp_path, web, None), tmp_path / "models")
    assert (folder / "model.onnx").read_bytes() == NEWER


def test_what_lies_there_broken_is_fetched_once_more(tmp_path: Path, web: str) -> None:
    """The digest says so, whatever the store says."""
    Store.limit = 100_000
    with pytest.raises(UnreachableError):
        fetch(manifest(tmp_path, web), tmp_path / "models")
    part, _ = beside(next((tmp_path / "models/wine").glob(".1.partial-*")) / "files" / "model.onnx")
    part.write_bytes(b"x" * part.stat().st_size)
    Store.limit = len(CONTENT)
    (folder,) = fetch(manifest(tmp_path, web), tmp_path / "models")
    assert (folder / "model.onnx").read_bytes() == CONTENT


def test_a_killed_fetch_leaves_no_version_and_the_next_goes_on(tmp_path: Path, web: str) -> None:
    Store.limit = 300_000
    Store.gate.clear()
    command = [sys.executable, "-m", "slipform_runtime", "fetch", "--manifest", str(manifest(tmp_path, web))]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([*command, "--to", str(tmp_path / "models")], env=environment, stdout=subprocess.PIPE)
    model = tmp_path / "models/wine"
    while process.poll() is None and not any(path.stat().st_size for path in model.glob(".1.partial-*/files/.*.part")):
        sleep(0.01)  # nothing tells of the first bytes
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert not (model / "1").exists()
    Store.gate.set()
    Store.limit, Store.asked = len(CONTENT), []
    (folder,) = fetch(manifest(tmp_path, web), tmp_path / "models")
    assert (folder / "model.onnx").read_bytes() == CONTENT
    assert Store.asked[0] is not None, "it asks for the rest"


def test_two_fetches_at_once_download_once(tmp_path: Path, web: str) -> None:
    path = manifest(tmp_path, web)
    fetches = [threading.Thread(target=fetch, args=(path, tmp_path / "models")) for _ in range(4)]
    for each in fetches:
        each.start()
    for each in fetches:
        each.join()
    assert (tmp_path / "models/wine/1/model.onnx").read_bytes() == CONTENT
    assert len(Store.asked) == 1


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_person_sees_a_bar_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    clock = iter([0.0, 1.0, 2.0, 3.0])
    monkeypatch.setattr("slipform_runtime.fetch.meter.monotonic", lambda: next(clock))
    terminal = Terminal()
    meter = Meter("fetch_progress", "model.onnx", 4 << 20, stream=terminal)
    meter.add(1 << 20)
    meter.add(1 << 20)
    meter.close()
    drawn = terminal.getvalue().split("\r\x1b[K")
    assert drawn[1] == "  model.onnx  [======                  ]  25%  of 4 MiB  1 MiB/s  3 s left"
    assert drawn[2] == "  model.onnx  [============            ]  50%  of 4 MiB  1 MiB/s  2 s left"
    assert drawn[-1] == ""


def test_a_collector_gets_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, 5.0, 11.0, 12.0])
    monkeypatch.setattr("slipform_runtime.fetch.meter.monotonic", lambda: next(clock))
    meter = Meter("fetch_progress", "model.onnx", 100, stream=io.StringIO())
    for _ in range(3):
        meter.add(10)
    (line,) = capsys.readouterr().out.splitlines()
    assert (json.loads(line)["bytes"], json.loads(line)["of_bytes"]) == (20, 100)
