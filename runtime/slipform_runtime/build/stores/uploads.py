"""One file to an object store: a large one in parts, each with its checksum, so that a cut connection costs one."""

from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import md5
from pathlib import Path
from typing import Any

from slipform_runtime.fetch.meter import Meter, metered
from slipform_runtime.logs import log

PART_BYTES = 32 << 20
"""S3 takes at most 10 000 parts: 320 GB."""

Retried = Callable[[Callable[[], Any]], Any]
"""Runs one request until it succeeds or is given up."""


def upload(files: Any, path: Path, uri: str, retried: Retried, alive: Callable[[], None]) -> None:
    """Send `path` to `uri` by fsspec's file system `files`; `alive` is called after each part.

    The store checks what it receives: S3 the MD5 of each part, Google's the whole file's after it.
    """
    with metered("publish_progress", path.name, path.stat().st_size) as meter:
        if hasattr(files, "call_s3"):
            _to_s3(files, path, uri, retried, alive, meter)
        else:
            retried(partial(files.put_file, str(path), uri, consistency="md5"))


def _to_s3(files: Any, path: Path, uri: str, retried: Retried, alive: Callable[[], None], meter: Meter) -> None:
    bucket, key, _ = files.split_path(uri)
    place = {"Bucket": bucket, "Key": key}
    if path.stat().st_size <= PART_BYTES:
        data = path.read_bytes()
        retried(partial(files.call_s3, "put_object", **place, Body=data, ContentMD5=_checksum(data)))
        meter.add(len(data))
        return
    _drop_abandoned(files, place)
    started = retried(partial(files.call_s3, "create_multipart_upload", **place))["UploadId"]
    send = partial(files.call_s3, **place, UploadId=started)
    try:
        done = []
        for number, data in enumerate(_parts(path), 1):
            part = partial(send, "upload_part", PartNumber=number, Body=data, ContentMD5=_checksum(data))
            done.append({"PartNumber": number, "ETag": retried(part)["ETag"]})
            meter.add(len(data))
            alive()
        retried(partial(send, "complete_multipart_upload", MultipartUpload={"Parts": done}))
    except BaseException:  # parts that nobody completes are paid for
        send("abort_multipart_upload")
        raise


def _drop_abandoned(files: Any, place: dict[str, str]) -> None:
    """Parts that a killed build has sent lie there unseen, and are paid for. Whoever sends now is the only one."""
    try:
        found = files.call_s3("list_multipart_uploads", Bucket=place["Bucket"], Prefix=place["Key"]).get("Uploads", ())
        for left in found:
            if left["Key"] == place["Key"]:
                files.call_s3("abort_multipart_upload", **place, UploadId=left["UploadId"])
                log.info("publish_abandoned_parts_dropped", key=left["Key"], since=left["Initiated"])
    except Exception as error:  # not permitted, or a store that has no such list: it stands in nobody's way
        log.warning("publish_abandoned_parts_unknown", key=place["Key"], error=str(error))


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while data := file.read(PART_BYTES):
            yield data


def _checksum(data: bytes) -> str:
    return b64encode(md5(data, usedforsecurity=False).digest()).decode()
