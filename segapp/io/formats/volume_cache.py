"""A cache of decoded volumes, whose slices are read one after another."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock

import numpy as np


class _Entry:
    def __init__(self) -> None:
        self.lock = Lock()
        self.array: np.ndarray | None = None


class VolumeCache:
    """The arrays last asked for, up to so many bytes of them, and always the last one; for any number of threads.

    Threads that ask for one array at the same time wait for the first of them to decode it.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._lock = Lock()

    def find(self, key: Hashable) -> np.ndarray | None:
        """Return the array under `key` if it is held; not to be written to."""
        with self._lock:
            entry = self._held.get(key)
            if entry is None or entry.array is None:
                return None
            self._held.move_to_end(key)
            return entry.array

    def get(self, key: Hashable, decode: Callable[[], np.ndarray]) -> np.ndarray:
        """Return the array under `key`, decoded if it is not held; not to be written to."""
        with self._lock:
            entry = self._held.setdefault(key, _Entry())
            self._held.move_to_end(key)
        with entry.lock:
            if entry.array is None:
                entry.array = decode()
                entry.array.flags.writeable = False
            array = entry.array
        with self._lock:
            self._drop_oldest()
        return array

    def _drop_oldest(self) -> None:
        held = {key: entry.array.nbytes for key, entry in self._held.items() if entry.array is not None}
        total = sum(held.values())
        for key, size in list(held.items())[:-1]:
            if total > self._limit:
                del self._held[key]
                total -= size
