"""Read the pixels of items by number: checked, from the cache where possible, padded beyond the edges."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np

from segapp.batch import IGNORE_INDEX
from segapp.datasets.masks.encoded_mask import EncodedMask
from segapp.datasets.source import Item
from segapp.errors import MisuseError, SegappError
from segapp.io import Image, require_range
from segapp.loading.cache import SharedCache
from segapp.loading.worker_trace import WorkerTrace

logger = logging.getLogger(__name__)


class Reader:
    """Images and masks of the items; `cache_bytes` of decoded ones are kept, shared by all workers."""

    def __init__(self, items: Sequence[Item], cache_bytes: int = 0) -> None:
        self.items = items
        self.trace = WorkerTrace()
        self.bytes_needed = 0
        """Of all decoded images and masks; 0 where no cache was asked for."""
        self._cache: SharedCache | None = None
        if cache_bytes > 0:
            sizes = [_measure_bytes(item) for item in items]
            self.bytes_needed = sum(sizes)
            self._cache = SharedCache(sizes, cache_bytes)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def cached(self) -> int:
        """How many images the cache has room for."""
        return self._cache.count if self._cache else 0

    def read_size(self, number: int) -> tuple[int, int]:
        """Return the stored height and width; MisuseError when the mask has another size."""
        item = self.items[number]
        height, width, _ = item.image.shape
        if self._cache is not None and self._cache.is_filled(number):  # checked when it was filled
            return height, width
        if item.mask is None:
            raise MisuseError(f"{item.name}: has no mask.")
        if item.mask.shape != (height, width):
            raise MisuseError(
                f"{item.name}: the image has {height} x {width} pixels, its mask {item.mask} "
                f"{item.mask.shape[0]} x {item.mask.shape[1]}; they must agree.{_explain_rotation(item)}"
            )
        return height, width

    def read_window(self, number: int, y: int, x: int, h: int, w: int) -> tuple[np.ndarray, np.ndarray]:
        """Read (h, w, C) uint8 or float32 and (h, w) uint8, inside the image only; not to be written to."""
        item = self.items[number]
        assert item.mask is not None
        if self._cache is None or not self._cache.has_slot(number):
            image = item.image.read_window(y, x, h, w)
            require_range(image, item.name)
            return image, item.mask.read_window(y, x, h, w)
        image, mask = self._read_cached(number)
        return image[y : y + h, x : x + w], mask[y : y + h, x : x + w]

    def read_padded(self, number: int, y: int, x: int, h: int, w: int) -> tuple[np.ndarray, np.ndarray]:
        """Read what `read_window` reads, also beyond the edges: the reflected image there, and mask 255."""
        height, width = self.read_size(number)
        if y >= 0 and x >= 0 and y + h <= height and x + w <= width:
            return self.read_window(number, y, x, h, w)
        rows, columns = _AxisRange(y, h, height), _AxisRange(x, w, width)
        image, mask = self.read_window(number, rows.first, columns.first, rows.length, columns.length)
        return _reflect_edges(image, rows, columns), _ignore_outside(mask, rows, columns)

    @contextmanager
    def name_in_errors(self, number: int) -> Iterator[None]:
        """Name the image in every error that is raised inside."""
        name = self.items[number].name
        self.trace.start_reading(number)
        try:
            yield
        except SegappError as error:
            if any(mark in str(error) for mark in (repr(name), f"/{name}.", f"{name}: ")):
                raise
            raise type(error)(f"image {name!r}: {error}") from error
        except Exception as error:
            logger.debug("image %r", name, exc_info=True)
            raise SegappError(f"image {name!r}: {type(error).__name__}: {error}") from error
        finally:
            self.trace.finish()

    def _read_cached(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        assert self._cache is not None
        item = self.items[number]
        shape, dtype = item.image.shape, item.image.dtype
        if not self._cache.is_filled(number):
            assert item.mask is not None
            image = item.image.read()
            require_range(image, item.name)
            self._cache.fill(number, image, item.mask.read())
        stored = self._cache.get_slot(number)
        pixels = int(np.prod(shape)) * dtype.itemsize
        return stored[:pixels].view(dtype).reshape(shape), stored[pixels:].reshape(shape[:2])


def _explain_rotation(item: Item) -> str:
    """Return an explanation where only an orientation tag makes the sizes of image and mask differ; else nothing."""
    turned = [item.image, item.mask]
    tags = [reference.orientation if isinstance(reference, Image | EncodedMask) else 1 for reference in turned]
    assert item.mask is not None
    if item.mask.shape != item.image.shape[1::-1] or (tags[0] >= 5) == (tags[1] >= 5):
        return ""
    whose, other = ("image", "mask") if tags[0] >= 5 else ("mask", "image")
    return (
        f" The orientation tag of the {whose} (EXIF {max(tags)}) turns it by a quarter, the {other} was made from the "
        "pixels as they are stored: remove the tag (`exiftool -Orientation= FILE`), or turn the other file too."
    )


@dataclass(frozen=True)
class _AxisRange:
    """`count` pixels from `start` along an axis of `size` pixels, and the stored pixels that they are made of."""

    start: int
    count: int
    size: int

    @property
    def first(self) -> int:
        """Return the first stored pixel, reflections at the far end included."""
        if self.start < 0:
            return 0
        return min(self.start, max(2 * (self.size - 1) - (self.start + self.count - 1), 0))

    @property
    def length(self) -> int:
        """Return the number of stored pixels, reflections at both ends included."""
        end = self.start + self.count
        last = self.size if end > self.size else max(end, min(1 - self.start, self.size))
        return last - self.first

    @property
    def before(self) -> int:
        return max(-self.start, 0)

    @property
    def after(self) -> int:
        return max(self.start + self.count - self.size, 0)

    @property
    def wanted(self) -> slice:
        """Return which of the stored pixels, extended at both ends, are wanted."""
        start = max(self.start - self.first, 0)
        return slice(start, start + self.count)

    @property
    def inside(self) -> slice:
        """Return which of the stored pixels lie in the image inside the wanted range."""
        return slice(max(self.start, 0) - self.first, min(self.start + self.count, self.size) - self.first)


def _reflect_edges(image: np.ndarray, rows: _AxisRange, columns: _AxisRange) -> np.ndarray:
    """Reflect an image at its edges; OpenCV takes a twentieth of the time of indexing."""
    sides = rows.before, rows.after, columns.before, columns.after
    extended = cv2.copyMakeBorder(image, *sides, cv2.BORDER_REFLECT_101)
    return extended.reshape(*extended.shape[:2], image.shape[2])[rows.wanted, columns.wanted]


def _ignore_outside(mask: np.ndarray, rows: _AxisRange, columns: _AxisRange) -> np.ndarray:
    """Surround the part inside the image by 255."""
    sides = rows.before, rows.after, columns.before, columns.after
    return cv2.copyMakeBorder(mask[rows.inside, columns.inside], *sides, cv2.BORDER_CONSTANT, value=IGNORE_INDEX)


def _measure_bytes(item: Item) -> int:
    height, width, channels = item.image.shape
    return height * width * (channels * item.image.dtype.itemsize + 1)


def require_images(items: Sequence[Item], split: str, processes: int = 1) -> Sequence[Item]:
    """Return the items of a split; MisuseError where there are none, or fewer than processes that share them."""
    if not items:
        raise MisuseError(
            f"the data set has no {split} images: give its `split` some "
            f"(for segapp.datasets.Fraction, {split}: 0.2), or evaluate on another split."
        )
    if len(items) < processes:
        raise MisuseError(f"{len(items)} {split} images are too few for {processes} processes; use fewer.")
    return items
