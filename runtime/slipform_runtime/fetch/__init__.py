"""Fill a model repository from a manifest: what the init container runs, and a laptop before it serves."""

from slipform_runtime.fetch.fetching import DigestError, FetchError, ManifestError, UnreachableError, fetch, fetch_file
from slipform_runtime.fetch.manifest import Manifest, ManifestModel, ManifestVersion, read_manifest

__all__ = [
    "DigestError",
    "FetchError",
    "Manifest",
    "ManifestError",
    "ManifestModel",
    "ManifestVersion",
    "UnreachableError",
    "fetch",
    "fetch_file",
    "read_manifest",
]
