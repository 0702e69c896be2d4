"""Memory for decoded pixels that all workers of a process share."""

import mmap
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

ALIGNMENT = 64  # bytes: a slot's first pixel is aligned for any dtype


class SharedCache:
    """Slots of given sizes in order, as many as fit into `limit` bytes; each filled by the first worker that needs it.

    The memory is anonymous where the system can (Linux: independent of the size of /dev/shm, gone with the
    process however that ends), else a temporary file. Two workers that fill one slot at once write the same bytes.
    """

    def __init__(self, sizes: Sequence[int], limit: int) -> None:
        rounded = -(-np.array(sizes, np.int64) // ALIGNMENT) * ALIGNMENT
        ends = np.cumsum(rounded)
        self.count = int(np.searchsorted(ends, limit, side="right"))
        """Slots that fit: those of the first items."""
        self._sizes = list(sizes[: self.count])
        self._starts = [int(v) for v in (ends - rounded)[: self.count]]
        self._flags = int(ends[self.count - 1]) if self.count else 0
        self._owner = os.getpid()
        self._file, self._path = _open_memory()
        os.ftruncate(self._file, max(self._flags + self.count, 1))
        self._map()

    def has_slot(self, number: int) -> bool:
        """Return whether there is a slot of this number."""
        return number < self.count

    def is_filled(self, number: int) -> bool:
        """Return whether there is such a slot and `fill` was done, by any process."""
        return self.has_slot(number) and bool(self._memory[self._flags + number])

    def get_slot(self, number: int) -> np.ndarray:
        """Return a slot, (size,) uint8, not to be written to."""
        start = self._starts[number]
        view = self._memory[start : start + self._sizes[number]]
        view.flags.writeable = False
        return view

    def fill(self, number: int, *arrays: np.ndarray) -> None:
        """Store the arrays' bytes one after the other, then set the flag."""
        offset = self._starts[number]
        for array in arrays:
            flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
            self._memory[offset : offset + flat.size] = flat
            offset += flat.size
        self._memory[self._flags + number] = 1

    def _map(self) -> None:
        self._memory = np.frombuffer(mmap.mmap(self._file, 0), np.uint8)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_memory"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Open the owner's memory again in a spawned worker, which inherits no descriptors."""
        self.__dict__.update(state)
        self._file = os.open(self._path, os.O_RDWR)
        self._map()

    def __del__(self) -> None:
        os.close(self._file)
        if os.getpid() == self._owner and not self._path.startswith("/proc/"):
            Path(self._path).unlink(missing_ok=True)


def _open_memory() -> tuple[int, str]:
    """Open a descriptor of the memory. The path beside it lets other processes of this user open the same memory."""
    if sys.platform == "linux":
        descriptor = os.memfd_create("segapp-cache")
        return descriptor, f"/proc/{os.getpid()}/fd/{descriptor}"
    return tempfile.mkstemp(prefix="segapp-cache-")
