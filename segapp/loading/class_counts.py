"""Scan the training masks once: how often each class occurs, and at which pixels."""

from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from segapp.batch import IGNORE_INDEX
from segapp.datasets.class_presence import PROGRESS_DELAY, map_in_threads
from segapp.errors import MisuseError
from segapp.loading.reader import Reader

PIXELS_PER_MASK = 64  # pixels remembered per class and mask: enough variety, 12 bytes each


class ClassScan:
    """Counts and pixels of the classes in the masks of a reader's items; the same for the same masks.

    `sample_pixel` does not sample the class `excluded`, mostly the background, and stays in one of the `sources`, the
    number of each item's data set, where they are given.
    """

    def __init__(
        self, reader: Reader, num_classes: int, excluded: int | None = None, sources: Sequence[int] | None = None
    ) -> None:
        self._reader, self._num_classes = reader, num_classes
        results = map_in_threads(self._scan_mask, range(len(reader)))
        found = list(tqdm(results, "masks", len(reader), leave=False, delay=PROGRESS_DELAY, disable=None))
        zeros = np.zeros(num_classes, np.int64)
        self.counts: np.ndarray = sum((counts for counts, _ in found), zeros)
        """(K,) int64: pixels of each class."""
        self.labelled = sum((counts.sum() * self._list_looked_for(n) for n, (counts, _) in enumerate(found)), zeros)
        """(K,) int64: pixels that are not ignored in the masks of images in which each class was looked for."""
        self._sources = sources if sources is not None else [0] * len(found)
        self._sampled: dict[int, list[list[tuple[int, np.ndarray]]]] = {source: [] for source in set(self._sources)}
        for source, classes in self._sampled.items():
            own = [(item, pixels) for item, (_, pixels) in enumerate(found) if self._sources[item] == source]
            holders = [[(item, pixels[k]) for item, pixels in own if len(pixels[k])] for k in range(num_classes)]
            classes += [images for k, images in enumerate(holders) if images and k != excluded]
        if not self.counts.any():
            raise MisuseError(
                "all pixels of the training masks are 255 (ignore); check the masks and `mask` of the data source."
            )

    @property
    def has_samples(self) -> bool:
        """Whether any class occurs that `sample_pixel` may sample."""
        return any(self._sampled.values())

    def sample_pixel(self, uniform: Sequence[float], item: int) -> tuple[int, tuple[int, int] | None]:
        """Return item and pixel (y, x) for three numbers in [0, 1): for the class, the image, the pixel in it.

        They are of the data set of `item`; of one without a class to sample, `item` and None.
        """
        classes = self._sampled[self._sources[item]]
        if not classes:
            return item, None
        images = classes[int(uniform[0] * len(classes))]
        item, pixels = images[int(uniform[1] * len(images))]
        y, x = pixels[int(uniform[2] * len(pixels))]
        return item, (int(y), int(x))

    def _list_looked_for(self, number: int) -> np.ndarray:
        looked_for = self._reader.items[number].looked_for
        return np.ones(self._num_classes, np.int64) if looked_for is None else np.array(looked_for, np.int64)

    def _scan_mask(self, number: int) -> tuple[np.ndarray, list[np.ndarray]]:
        with self._reader.name_in_errors(number):
            self._reader.read_size(number)
            mask = self._reader.items[number].mask.read()  # type: ignore[union-attr]
        counts = np.bincount(mask.ravel(), minlength=IGNORE_INDEX + 1)[: self._num_classes]
        rng = np.random.default_rng(number)
        return counts.astype(np.int64), [
            _sample_pixels(mask, k, rng) if counts[k] else np.empty((0, 2), np.int32) for k in range(self._num_classes)
        ]


def _sample_pixels(mask: np.ndarray, index: int, rng: np.random.Generator) -> np.ndarray:
    """Sample up to PIXELS_PER_MASK pixels (y, x) of one class evenly with replacement; (n, 2) int32."""
    flat = np.flatnonzero(mask.ravel() == index)
    sampled = flat[rng.integers(len(flat), size=min(PIXELS_PER_MASK, len(flat)))]
    return np.column_stack(np.divmod(sampled, mask.shape[1])).astype(np.int32)
