"""Which classes masks hold, read in parallel and in bounded memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from tqdm import tqdm

from segapp.batch import IGNORE_INDEX
from segapp.datasets.source import MaskReference
from segapp.datasets.value_counts import count_values
from segapp.system.limits import count_usable_cores

PROGRESS_DELAY = 2.0  # seconds until a progress bar appears
MAX_FULL_PIXELS = 2**24  # 4096 x 4096: of larger masks only windows are read
WINDOWS_PER_AXIS, WINDOW_SIDE = 8, 512  # windows along each axis, and their height and width

T = TypeVar("T")
R = TypeVar("R")


def find_classes_of_each(masks: Sequence[MaskReference]) -> list[set[int]]:
    """Return the class indices in each mask; 255 is none."""
    return list(
        tqdm(map_in_threads(find_classes, masks), "masks", len(masks), leave=False, delay=PROGRESS_DELAY, disable=None)
    )


def find_classes(mask: MaskReference) -> set[int]:
    """Return the class indices in one mask; in a very large one, those in an even grid of windows."""
    height, width = mask.shape
    if height * width <= MAX_FULL_PIXELS:
        return list_classes(mask.read())
    return {value for window in _iterate_windows(height, width) for value in list_classes(mask.read_window(*window))}


def map_in_threads(function: Callable[[T], R], values: Iterable[T]) -> Iterator[R]:
    """Yield `function` of each value, in order, computed by threads: decoding releases the GIL. Stop at an error."""
    with ThreadPoolExecutor(min(8, count_usable_cores())) as pool:
        futures = [pool.submit(function, value) for value in values]
        try:
            for future in futures:
                yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def list_classes(mask: np.ndarray) -> set[int]:
    """Return the class indices in the pixels of a mask; 255 is none."""
    return set(np.flatnonzero(count_values(mask)).tolist()) - {IGNORE_INDEX}


def _iterate_windows(height: int, width: int) -> Iterator[tuple[int, int, int, int]]:
    h, w = min(WINDOW_SIDE, height), min(WINDOW_SIDE, width)
    for y in np.linspace(0, height - h, min(WINDOWS_PER_AXIS, -(-height // h))).astype(int):
        for x in np.linspace(0, width - w, min(WINDOWS_PER_AXIS, -(-width // w))).astype(int):
            yield int(y), int(x), h, w
