"""An object store, through fsspec: files first, the report last, since a version without its report is none."""

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from time import monotonic, sleep, time
from typing import Any, TypeVar
from urllib.parse import urlsplit

from slipform_runtime.build.errors import Missing, Unreachable
from slipform_runtime.build.report import REPORT
from slipform_runtime.build.stores.uploads import upload
from slipform_runtime.logs import log

EXTRAS = {"s3": "s3", "gs": "gs"}
"""By scheme: the extra that writes it."""

_CLAIM_SECONDS = 900
"""A claim that was not renewed for so long was left by a build that was killed while it sent its files."""
_LOOK_SECONDS = 2.0
_TRIES = 4

T = TypeVar("T")


class ObjectStore:
    """Version folders below a bucket's prefix.

    Stores rename nothing, so two builds that end together would mix their files: whoever makes the claim first sends,
    the other waits for the report.
    """

    def __init__(self, uri: str) -> None:
        scheme = urlsplit(uri).scheme
        try:
            # No cache of listings: another build's files are what we look for.
            self._files: Any = import_module("fsspec").filesystem(scheme, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise Missing(f"{scheme}: needs an extra; install slipform-runtime[{EXTRAS[scheme]}]") from error
        self.where = uri.rstrip("/")

    def report(self, version: int) -> bytes | None:
        """The version's."""
        try:
            data: bytes = self._retried(lambda: self._files.cat_file(f"{self.where}/{version}/{REPORT}"))
        except FileNotFoundError:
            return None
        return data

    def check(self) -> None:
        """Ask for a report: credentials that are missing say so now."""
        self.report(0)

    def put(self, folder: Path, version: int, *, replace: bool) -> bool:
        """Send the files in a fixed order, the report last."""
        claim = f"{self.where}/.{version}.claim"
        if not self._claimed(claim, version, replace=replace):
            return False
        try:
            files = sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.name == REPORT)
            renew = self._renewing(claim)
            for number, path in enumerate(files, 1):
                relative = path.relative_to(folder).as_posix()
                upload(self._files, path, f"{self.where}/{version}/{relative}", self._retried, renew)
                renew()
                log.info("publish_progress", file=relative, number=number, of=len(files), bytes=path.stat().st_size)
        except FileNotFoundError as error:
            raise Unreachable(f"'{self.where}' is not there: {error}") from error
        finally:
            self._drop(claim)
        return True

    def _claimed(self, claim: str, version: int, *, replace: bool) -> bool:
        """True where it is ours to send; False where another build has sent the version meanwhile."""
        waiting = False
        while True:
            if not replace and self.report(version) is not None:
                return False
            try:
                self._retried(lambda: self._files.pipe_file(claim, _now(), mode="create"))
                return replace or self._still_absent(claim, version)
            except FileNotFoundError as error:
                raise Unreachable(f"'{self.where}' is not there: {error}") from error
            except FileExistsError:
                if self._abandoned(claim):
                    log.warning("publish_claim_taken_over", claim=claim)
                    self._drop(claim)
                elif not waiting:
                    log.warning("publish_waits_for_another_build", claim=claim, at_most_seconds=_CLAIM_SECONDS)
                    waiting = True
                sleep(_LOOK_SECONDS)

    def _renewing(self, claim: str) -> Callable[[], None]:
        """What keeps the claim young while a large file is on its way."""
        last = monotonic()

        def renew() -> None:
            nonlocal last
            if monotonic() - last > _CLAIM_SECONDS / 10:
                self._retried(lambda: self._files.pipe_file(claim, _now()))
                last = monotonic()

        return renew

    def _still_absent(self, claim: str, version: int) -> bool:
        """The other may have sent its report and dropped its claim between our look and our claim."""
        if self.report(version) is None:
            return True
        self._drop(claim)
        return False

    def _drop(self, claim: str) -> None:
        """One that may not be deleted, or is gone, harms nobody once the report is there."""
        try:
            self._files.rm_file(claim)
        except Exception as error:
            log.warning("publish_claim_kept", claim=claim, error=str(error))

    def _abandoned(self, claim: str) -> bool:
        try:
            since = float(json.loads(self._files.cat_file(claim))["since"])
        except FileNotFoundError:
            return False
        except (ValueError, KeyError, TypeError):
            return True
        return time() - since > _CLAIM_SECONDS

    def _retried(self, action: Callable[[], T]) -> T:
        wait = 0.5
        for attempt in range(1, _TRIES + 1):
            try:
                return action()
            except (FileNotFoundError, FileExistsError):
                raise
            except Exception as error:  # each store's library has its own
                if attempt == _TRIES or isinstance(error, PermissionError):
                    raise Unreachable(f"'{self.where}': {error}") from error
                log.warning("publish_retried", uri=self.where, error=str(error), attempt=attempt, wait_seconds=wait)
                sleep(wait)
                wait *= 2
        raise AssertionError("unreachable")


def _now() -> bytes:
    return json.dumps({"since": time()}).encode()
