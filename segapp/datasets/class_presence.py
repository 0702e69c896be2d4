"""Which classes masks hold, read in parallel and in bounded memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from tqdm import tqdm

from segapp.batch import IGNORE_INDEX
from segapp.datasets.source import MaskReference
from segapp.system.limits import count_usable_cores

SLOW = 2.0  # seconds after which a progress bar appears
WHOLE = 2**24  # pixels (4096 x 4096): larger masks are sampled by windows
GRID, SIDE = 8, 512  # windows along each axis, and their height and width

T = TypeVar("T")
R = TypeVar("R")


def classes_held(masks: Sequence[MaskReference]) -> list[set[int]]:
    """Return the class indices in each mask; 255 is none."""
    return list(tqdm(in_threads(classes_in, masks), "masks", len(masks), leave=False, delay=SLOW, disable=None))


def classes_in(mask: MaskReference) -> set[int]:
    """Return the class indices in one mask: of all of it, or of an even grid of windows of a very large one."""
    height, width = mask.shape
    if height * width <= WHOLE:
        return _values(mask.read())
    return {value for window in _windows(height, width) for value in _values(mask.window(*window))}


def in_threads(function: Callable[[T], R], values: Iterable[T]) -> Iterator[R]:
    """Yield the results in order; decoding releases the GIL. The first error ends it."""
    with ThreadPoolExecutor(min(8, count_usable_cores())) as pool:
        futures = [pool.submit(function, value) for value in values]
        try:
            for future in futures:
                yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _values(mask: np.ndarray) -> set[int]:
    return set(np.flatnonzero(np.bincount(mask.ravel(), minlength=1)).tolist()) - {IGNORE_INDEX}


def _windows(height: int, width: int) -> Iterator[tuple[int, int, int, int]]:
    h, w = min(SIDE, height), min(SIDE, width)
    for y in np.linspace(0, height - h, min(GRID, -(-height // h))).astype(int):
        for x in np.linspace(0, width - w, min(GRID, -(-width // w))).astype(int):
            yield int(y), int(x), h, w
