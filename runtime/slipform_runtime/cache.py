"""Answers to inputs that came before: bounded in bytes and in age, the least recently used leaves first."""

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from slipform_runtime.datatypes import Tensor
from slipform_runtime.tensors import to_bytes

Outputs = dict[str, Tensor]
CacheKey = tuple[str, str, bytes]  # model, version, digest of everything that the answer depends on

_ENTRY_BYTES = 512  # the dict, the arrays' headers, the key


@dataclass(slots=True)
class _Entry:
    outputs: Outputs
    size: int
    expires_at: float


class ResponseCache:
    """One for the whole server; each model's part is cleared when the model is unloaded."""

    def __init__(self, size_bytes: int, ttl_seconds: float) -> None:
        self._limit = size_bytes
        self._ttl = ttl_seconds
        self._entries: OrderedDict[CacheKey, _Entry] = OrderedDict()
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    @staticmethod
    def key(model: str, version: str, inputs: dict[str, Tensor], wanted: tuple[str, ...] | None) -> CacheKey:
        """The same for the same names, types, shapes, bytes and wanted outputs, in whatever order the inputs came."""
        digest = blake2b(digest_size=32)
        for name in sorted(inputs):
            tensor = inputs[name]
            digest.update(repr((name, tensor.dtype.str, tensor.shape)).encode())
            digest.update(to_bytes(tensor) if tensor.dtype == np.object_ else np.ascontiguousarray(tensor).data)
        digest.update(repr(wanted).encode())
        return model, version, digest.digest()

    def get(self, key: CacheKey, now: float) -> Outputs | None:
        """The outputs, if they are there and young enough at `now`."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.expires_at <= now:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry.outputs

    def put(self, key: CacheKey, outputs: Outputs, now: float) -> None:
        """Keep `outputs`; not at all where they alone are over the limit."""
        size = _ENTRY_BYTES + sum(_size(tensor) for tensor in outputs.values())
        if size > self._limit:
            return
        if key in self._entries:
            self._drop(key)
        # Copies: a slice would keep its whole batch in memory.
        kept = {name: tensor.copy() for name, tensor in outputs.items()}
        self._entries[key] = _Entry(kept, size, now + self._ttl)
        self.size_bytes += size
        while self.size_bytes > self._limit:
            self._drop(next(iter(self._entries)))

    def clear(self, model: str, version: str) -> None:
        """Forget one version's answers."""
        for key in [key for key in self._entries if key[:2] == (model, version)]:
            self._drop(key)

    def clear_all(self) -> int:
        """Forget everything; how many answers that were."""
        count = len(self._entries)
        self._entries.clear()
        self.size_bytes = 0
        return count

    def _drop(self, key: CacheKey) -> None:
        self.size_bytes -= self._entries.pop(key).size


def _size(tensor: Tensor) -> int:
    if tensor.dtype != np.object_:
        return tensor.nbytes
    return sum(64 + len(element) for element in tensor.ravel())
