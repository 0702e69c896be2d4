"""A cache of decoded tiles and strips, which neighbouring windows share."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock

import numpy as np


class TileCache:
    """The most recently used arrays by their key, up to `limit` bytes; safe for any number of threads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: OrderedDict[Hashable, np.ndarray] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], np.ndarray]) -> np.ndarray:
        """Get the array under `key`, made if it is not held; not to be written to."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        made = make()  # outside the lock: decoders let other threads run
        made.flags.writeable = False
        with self._lock:
            if key not in self._held and made.nbytes <= self._limit:
                self._held[key] = made
                self._bytes += made.nbytes
            while self._bytes > self._limit:
                self._bytes -= self._held.popitem(last=False)[1].nbytes
        return made
