"""Lists the windows of images, and reads them in batches for the network."""

import logging
from dataclasses import dataclass, field
from functools import cache
from threading import Event
from typing import TYPE_CHECKING

import numpy as np

from segapp.errors import SegappError
from segapp.inference.readable_image import ArrayImage, ReadableImage
from segapp.inference.resize import shrink
from segapp.inference.windows import find_image_start, list_window_starts, pad_crop
from segapp.io import require_range
from segapp.spec import Spec

if TYPE_CHECKING:
    from segapp.inference.runtime import Array

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Grid:
    """The windows of one image, by the rows and columns where they start; `seen` is the image at the network's size."""

    image: ReadableImage
    seen: ReadableImage
    ys: list[int]
    xs: list[int]
    error: SegappError | None = None
    left: Event = field(default_factory=Event)
    """Set when the next image is requested: windows that are not computed by then are skipped."""


Batch = list[tuple[Grid, int, int]]
"""Windows: the grid, and the first row and column."""
Errors = list[SegappError | None]


def make_grid(image: ReadableImage, spec: Spec, window_statistics: bool) -> Grid:
    """Make the grid of an image's windows, in the size that the network sees; an error of the image is kept in it.

    `window_statistics`: whether the network normalises over the whole window, which is logged once.
    """
    try:
        if image.shape[2] != spec.channels:
            raise SegappError(f"{image.name}: has {image.shape[2]} channels, the network takes {spec.channels}.")
        resize = spec.resize
        seen = image if resize is None else ArrayImage(shrink(image, resize), image.name)
    except SegappError as error:
        return Grid(image, image, [0], [0], error)
    sides = zip(seen.shape[:2], spec.window, strict=True)
    ys, xs = (list_window_starts(length, side, spec.overlap) for length, side in sides)
    if window_statistics and len(ys) * len(xs) > 1:
        _warn_of_window_statistics(spec.window)
    return Grid(image, seen, ys, xs)


def read_batch(batch: Batch, spec: Spec, size: int) -> tuple[np.ndarray, Errors]:
    """Read (size, C, *window), zeros where the batch has fewer windows, and the error of each window."""
    crops: list[np.ndarray | None] = []
    errors: Errors = []
    for grid, y, x in batch:
        crop, error = None, grid.error
        try:
            if error is None:
                seen = _read_window(grid, y, x, spec.window)
                require_range(seen, grid.image.name)
                crop = pad_crop(seen, spec.window, find_image_start(grid.seen.shape[:2], spec.window))
        except SegappError as found:
            error = found
        crops.append(crop)
        errors.append(error)
    dtype = next((crop.dtype for crop in crops if crop is not None), np.dtype(np.uint8))
    images = np.zeros((size, *spec.window, spec.channels), dtype)
    for index, crop in enumerate(crops):
        if crop is not None:
            images[index] = crop
    return images.transpose(0, 3, 1, 2), errors  # a view: channels stay last in memory


def _read_window(grid: Grid, y: int, x: int, size: tuple[int, int]) -> np.ndarray:
    """Read the part of the window from (y, x) that lies inside the image."""
    (height, width), (h, w) = grid.seen.shape[:2], size
    return grid.seen.read_window(y, x, min(height - y, h), min(width - x, w))


def crop_padding(grid: Grid, logits: "Array", window: tuple[int, int]) -> "Array":
    """Crop the padding of an image that is smaller than a window."""
    (height, width), (h, w) = grid.seen.shape[:2], window
    y, x = find_image_start((height, width), (h, w))
    return logits[:, y : y + min(height, h), x : x + min(width, w)]


@cache  # once per process, not once per image
def _warn_of_window_statistics(window: tuple[int, int]) -> None:
    logger.warning(
        "This network normalises or pools over its whole input (instance or group norm, squeeze-and-excitation), so "
        "an image divided into windows of %d x %d has other logits than the whole image, for any overlap: use "
        "windows as large as in training.",
        *window,
    )
