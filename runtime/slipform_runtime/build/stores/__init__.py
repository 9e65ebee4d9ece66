"""Where artefacts go: a folder of this machine, or an object store."""

from urllib.parse import urlsplit

from slipform_runtime.build.errors import BadInput
from slipform_runtime.build.stores.base import Store
from slipform_runtime.build.stores.local import LocalStore
from slipform_runtime.build.stores.objects import EXTRAS, ObjectStore
from slipform_runtime.build.stores.paths import local_path

__all__ = ["LocalStore", "ObjectStore", "Store", "store_for"]


def store_for(uri: str) -> Store:
    """What writes below this URI; raises BadInput for a scheme that nothing writes, Missing without its extra."""
    scheme = urlsplit(uri).scheme
    if scheme == "file":
        return LocalStore(local_path(uri))
    if scheme in EXTRAS:
        return ObjectStore(uri)
    known = ", ".join(f"{name}:" for name in ("file", *EXTRAS))
    raise BadInput(f"output.uri '{uri}' has no scheme that can be written: {known}")
