"""Publishing: to a folder, and to a local S3 server."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from time import time
from typing import Any

import pytest

from runtime_testing.building import Workshop
from runtime_testing.cloud_storage import Handler, cloud_storage
from slipform_runtime.build.errors import BadInput, Unreachable
from slipform_runtime.build.report import REPORT
from slipform_runtime.build.stores import LocalStore, ObjectStore, store_for
from slipform_runtime.fetch import fetch
from slipform_runtime.fetch.digest import file_sha256


def version(folder: Path, content: str) -> Path:
    """A built version's folder, whose two files name the same build."""
    folder.mkdir()
    (folder / "model.onnx").write_text(content)
    (folder / REPORT).write_text(content)
    return folder


def test_the_first_of_two_stays_where_nothing_may_be_replaced(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    store.check()
    assert store.put(version(tmp_path / "a", "a"), 1, replace=False)
    assert not store.put(version(tmp_path / "b", "b"), 1, replace=False)
    assert store.report(1) == b"a"
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["1"]


def test_a_servers_user_can_read_what_another_built(tmp_path: Path) -> None:
    (version(tmp_path / "a", "a") / "model.onnx").chmod(0o600)
    (tmp_path / "a" / REPORT).chmod(0o644)
    store = LocalStore(tmp_path / "store")
    store.check()
    store.put(tmp_path / "a", 1, replace=False)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "store" / "1").iterdir()} == {0o644}


def test_a_version_is_replaced_as_a_whole(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    store.check()
    (version(tmp_path / "a", "a") / "extra").write_text("a")
    store.put(tmp_path / "a", 1, replace=True)
    store.put(version(tmp_path / "b", "b"), 1, replace=True)
    assert sorted(path.name for path in (tmp_path / "store" / "1").iterdir()) == ["model.onnx", REPORT]


def test_many_writers_at_once_leave_one_whole_version(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    store.check()
    folders = [version(tmp_path / str(number), str(number)) for number in range(8)]
    placed: list[bool] = []
    writers = [
        threading.Thread(target=lambda folder=folder: placed.append(store.put(folder, 1, replace=True)))
        for folder in folders
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    found = {path.read_text() for path in (tmp_path / "store" / "1").iterdir()}
    assert placed == [True] * 8
    assert len(found) == 1
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["1"]


def test_a_version_without_its_report_is_none(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    assert LocalStore(tmp_path).report(1) is None


def test_a_scheme_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(BadInput, match="can be written: file:, s3:, gs:"):
        store_for("https://example.com/models")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A local S3, empty but for the bucket `engines`."""
    moto = pytest.importorskip("moto.server", reason="needs moto[server]")
    pytest.importorskip("s3fs")
    server = moto.ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Its URI; the environment is what a pod's would be."""
    import fsspec

    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3").clear_instance_cache()
    files = fsspec.filesystem("s3")
    if not files.exists("engines"):
        files.mkdir("engines")
    if files.exists("engines/wine"):
        files.rm("engines/wine", recursive=True)
    return "s3://engines/wine"


def test_a_build_goes_to_s3_once_and_comes_back_with_its_digest(workshop: Workshop, bucket: str) -> None:
    output = {"uri": bucket, "filename": "model.onnx"}
    outcome = workshop.build(output=output)
    assert outcome.built
    assert not workshop.build(output=output).built
    manifest = workshop.root / "repository.json"
    manifest.write_text(json.dumps({"models": [{"name": "wine", "versions": [{"version": 3, "uri": bucket}]}]}))
    (folder,) = fetch(manifest, workshop.root / "served")
    assert file_sha256(folder / "model.onnx") == outcome.report.files["model.onnx"]


def test_the_second_writer_to_s3_waits_and_leaves_the_first_ones_files(tmp_path: Path, bucket: str) -> None:
    store = ObjectStore(bucket)
    store._files.pipe_file(f"{bucket}/.1.claim", json.dumps({"since": time()}).encode())
    placed: list[bool] = []
    second = threading.Thread(
        target=lambda: placed.append(ObjectStore(bucket).put(version(tmp_path / "b", "b"), 1, replace=False))
    )
    second.start()
    store._files.pipe_file(f"{bucket}/1/{REPORT}", b"a")
    store._files.rm_file(f"{bucket}/.1.claim")
    second.join(timeout=60)
    assert placed == [False]
    assert store.report(1) == b"a"


def test_a_claim_that_a_killed_build_left_is_taken_over(tmp_path: Path, bucket: str) -> None:
    store = ObjectStore(bucket)
    store._files.pipe_file(f"{bucket}/.1.claim", json.dumps({"since": time() - 3600}).encode())
    assert store.put(version(tmp_path / "a", "a"), 1, replace=False)
    assert store._files.ls(bucket, refresh=True, detail=False) == ["engines/wine/1"]


def test_a_bucket_that_is_not_there_is_unreachable(
    bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("slipform_runtime.build.stores.objects.sleep", lambda _: None)
    with pytest.raises(Unreachable, match="nowhere"):
        ObjectStore("s3://nowhere/wine").put(version(tmp_path / "a", "a"), 1, replace=False)


def test_a_claim_is_made_by_one_of_two(bucket: str) -> None:
    files: Any = ObjectStore(bucket)._files
    files.pipe_file(f"{bucket}/.1.claim", b"{}", mode="create")
    with pytest.raises(FileExistsError):
        files.pipe_file(f"{bucket}/.1.claim", b"{}", mode="create")


def test_a_large_file_goes_to_s3_in_parts_and_a_lost_part_is_sent_alone(
    tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slipform_runtime.build.stores.objects.sleep", lambda _: None)
    monkeypatch.setattr("slipform_runtime.build.stores.uploads.PART_BYTES", 5 << 20)  # the least that S3 takes
    store, asked = ObjectStore(bucket), []
    call = store._files.call_s3

    def flaky(method: str, **options: Any) -> Any:
        asked.append((method, options.get("PartNumber")))
        if asked.count(("upload_part", 2)) == 1 and asked[-1] == ("upload_part", 2):
            raise OSError("the connection is gone")
        return call(method, **options)

    monkeypatch.setattr(store._files, "call_s3", flaky)
    content = bytes(range(256)) * (12 << 12)
    folder = version(tmp_path / "a", "a")
    (folder / "model.onnx").write_bytes(content)
    assert store.put(folder, 1, replace=False)
    assert [number for method, number in asked if method == "upload_part"] == [1, 2, 2, 3]
    assert store._files.cat_file(f"{bucket}/1/model.onnx") == content


def refuse(store: ObjectStore, refused: str, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the store answer one of S3's methods with an error, each time."""
    call = store._files.call_s3

    def answer(method: str, **options: Any) -> Any:
        if method == refused:
            raise error
        return call(method, **options)

    monkeypatch.setattr(store._files, "call_s3", answer)


def test_an_upload_that_is_given_up_leaves_no_parts(
    tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slipform_runtime.build.stores.objects.sleep", lambda _: None)
    monkeypatch.setattr("slipform_runtime.build.stores.uploads.PART_BYTES", 5 << 20)
    store = ObjectStore(bucket)
    call = store._files.call_s3
    refuse(store, "complete_multipart_upload", OSError("the connection is gone"), monkeypatch)
    folder = version(tmp_path / "a", "a")
    (folder / "model.onnx").write_bytes(bytes(6 << 20))
    with pytest.raises(Unreachable, match="the connection is gone"):
        store.put(folder, 1, replace=False)
    assert "Uploads" not in call("list_multipart_uploads", Bucket="engines")
    assert store.report(1) is None


def test_parts_that_a_killed_build_has_left_are_gone_with_the_next(
    tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slipform_runtime.build.stores.uploads.PART_BYTES", 5 << 20)
    store = ObjectStore(bucket)
    call = store._files.call_s3
    for key in ("wine/1/model.onnx", "wine/1/model.onnx.data"):
        place = {"Bucket": "engines", "Key": key}
        left = call("create_multipart_upload", **place)["UploadId"]
        call("upload_part", **place, UploadId=left, PartNumber=1, Body=bytes(5 << 20))
    folder = version(tmp_path / "a", "a")
    (folder / "model.onnx").write_bytes(bytes(6 << 20))
    assert store.put(folder, 1, replace=False)
    found = call("list_multipart_uploads", Bucket="engines")["Uploads"]
    assert [each["Key"] for each in found] == ["wine/1/model.onnx.data"], "another file's parts are another build's"
    call("abort_multipart_upload", Bucket="engines", Key=found[0]["Key"], UploadId=found[0]["UploadId"])


def test_who_may_not_list_parts_sends_all_the_same(
    tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slipform_runtime.build.stores.uploads.PART_BYTES", 5 << 20)
    store = ObjectStore(bucket)
    refuse(store, "list_multipart_uploads", PermissionError("s3:ListBucketMultipartUploads: denied"), monkeypatch)
    folder = version(tmp_path / "a", "a")
    (folder / "model.onnx").write_bytes(bytes(6 << 20))
    assert store.put(folder, 1, replace=False)


def test_a_claim_stays_young_while_a_large_file_is_sent(
    tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slipform_runtime.build.stores.uploads.PART_BYTES", 5 << 20)
    monkeypatch.setattr("slipform_runtime.build.stores.objects._CLAIM_SECONDS", 1e-6)
    store, written = ObjectStore(bucket), []
    write = store._files.pipe_file

    def noted(path: str, *rest: Any, **options: Any) -> Any:
        written.append((path, options))
        return write(path, *rest, **options)

    monkeypatch.setattr(store._files, "pipe_file", noted)
    folder = version(tmp_path / "a", "a")
    (folder / "model.onnx").write_bytes(bytes(11 << 20))
    assert store.put(folder, 1, replace=False)
    claims = [options for path, options in written if path.endswith(".1.claim")]
    assert claims == [{"mode": "create"}, *[{}] * 5], "after each of three parts and each of two files"


def test_a_download_from_s3_asks_for_ranges_and_goes_on(
    tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fsspec

    monkeypatch.setattr("slipform_runtime.fetch.fetching._FIRST_WAIT_SECONDS", 0.001)
    monkeypatch.setattr("slipform_runtime.fetch.sources._RANGE", 1000)
    content = bytes(range(256)) * 10
    files = fsspec.filesystem("s3")
    files.pipe_file(f"{bucket}/1/model.onnx", content)
    asked, read = [], files.cat_file

    def flaky(uri: str, start: int, end: int) -> Any:
        asked.append(start)
        if len(asked) == 2:
            raise OSError("the connection is gone")
        return read(uri, start=start, end=end)

    monkeypatch.setattr(files, "cat_file", flaky)
    manifest = tmp_path / "repository.json"
    manifest.write_text(json.dumps({"models": [{"name": "wine", "versions": [{"version": 1, "uri": bucket}]}]}))
    (folder,) = fetch(manifest, tmp_path / "served")
    assert (folder / "model.onnx").read_bytes() == content
    assert asked == [0, 1000, 1000, 2000]


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A prefix of a bucket in a stand-in of Google's Cloud Storage; the real one is asked by gRPC for more."""
    core: Any = pytest.importorskip("gcsfs.core", reason="needs gcsfs")
    import fsspec

    with cloud_storage() as address:
        usual = fsspec.get_filesystem_class("gs")
        fsspec.register_implementation("gs", core.GCSFileSystem, clobber=True)
        monkeypatch.setitem(fsspec.config.conf, "gs", {"endpoint_url": address, "token": "anon"})
        core.GCSFileSystem.clear_instance_cache()
        yield "gs://engines/wine"
        core.GCSFileSystem.clear_instance_cache()
        fsspec.register_implementation("gs", usual, clobber=True)


def test_a_build_goes_to_google_once_and_comes_back_with_its_digest(workshop: Workshop, google: str) -> None:
    output = {"uri": google, "filename": "model.onnx"}
    outcome = workshop.build(output=output)
    assert outcome.built
    assert not workshop.build(output=output).built
    Handler.cut = 1
    manifest = workshop.root / "repository.json"
    manifest.write_text(json.dumps({"models": [{"name": "wine", "versions": [{"version": 3, "uri": google}]}]}))
    (folder,) = fetch(manifest, workshop.root / "served")
    assert file_sha256(folder / "model.onnx") == outcome.report.files["model.onnx"]
