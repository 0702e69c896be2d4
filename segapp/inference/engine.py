"""Computes logits and class indices of images of any size, in memory that does not grow with their height."""

import logging
import math
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby, islice, product
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from segapp.errors import FatalError, SegappError
from segapp.inference.blend import compute_weights
from segapp.inference.ensemble import apply_temperature
from segapp.inference.postprocess import clean
from segapp.inference.prefetch import prefetch
from segapp.inference.readable_image import ReadableImage
from segapp.inference.resize import enlarge
from segapp.inference.window_reading import Batch, Errors, Grid, crop_padding, make_grid, read_batch
from segapp.inference.windows import list_window_ends
from segapp.spec import Spec

if TYPE_CHECKING:  # the engine needs no torch: what it computes with is the runtime's business
    from concurrent.futures import Future

    from segapp.inference.runtime import Array, Runtime


logger = logging.getLogger(__name__)

Item = TypeVar("Item")


@dataclass(frozen=True)
class Band:
    """Finished logits (K, h, w) float32, where the runtime keeps them: rows from `y`, columns from `x`."""

    y: int
    logits: "Array"
    x: int = 0


class Engine:
    """One path from images to logits, for validation, test and prediction, whatever the runtime.

    Every call of the runtime has the shape (batch, C, *spec.window), so results depend on the image alone. `readers`
    batches are prefetched at once.
    """

    def __init__(self, runtime: "Runtime", spec: Spec, batch: int = 1, readers: int = 1) -> None:
        self.runtime = runtime
        self.spec = spec
        self.batch = batch
        self.readers = readers

    def compute_bands(self, image: ReadableImage) -> Iterator[Band]:
        """Yield logits (K, h, W) from top to bottom, at the image's stored size.

        Raises SegappError that names the image: other channels than the network's, logits that are not finite.
        """
        width = image.shape[1]
        for y, row in groupby(self.compute_blocks(image), key=lambda block: block.y):
            first = next(row)
            if first.logits.shape[2] == width:
                yield first
                continue
            logits = self.runtime.zeros((*first.logits.shape[:2], width))
            for block in (first, *row):
                logits[:, :, block.x : block.x + block.logits.shape[2]] = block.logits
            yield Band(y, logits)

    def compute_blocks(self, image: ReadableImage) -> Iterator[Band]:
        """Yield what `compute_bands` yields in smaller pieces.

        Each row of windows from left to right, window by window, so less memory is held.

        That is, K times the rows which two rows of windows share, and a few windows; never a band.
        """
        for _, blocks in self.stream([image]):
            yield from blocks

    def stream(self, images: Iterable[ReadableImage]) -> Generator[tuple[ReadableImage, Iterator[Band]], None, None]:
        """Yield every image with its blocks; a batch that one image leaves unfilled takes windows of the next.

        Take the blocks of an image before the next image: the remaining ones are skipped. The error of
        an image is raised by its own blocks, and the next image follows.
        """
        with closing(self._compute_windows(images)) as computed:
            for grid, windows in groupby(computed, key=lambda window: window[0]):
                logits, resize = map(_compute_result, windows), self.spec.resize
                yield grid.image, self._blend(grid, logits) if resize is None else self._enlarge(grid, logits)
                grid.left.set()

    def compute_indices(self, band: Band) -> np.ndarray:
        """Return the (h, w) uint8 class indices of a band."""
        return self.runtime.compute_indices(band.logits)

    def compute_probabilities(self, band: Band) -> np.ndarray:
        """Return (K, h, w) float32: softmax over the classes of a band, at the temperature of the network."""
        logits = apply_temperature(band.logits, self.runtime.temperature)
        return self.runtime.to_numpy(self.runtime.compute_probabilities(logits[None]))[0]

    def sum_confidence(self, band: Band) -> float:
        """Return the sum over a band's pixels of the probability of their class."""
        return self.runtime.sum_confidence(apply_temperature(band.logits, self.runtime.temperature))

    def segment(self, image: ReadableImage, probabilities: np.ndarray | None = None) -> np.ndarray:
        """Return the (H, W) uint8 class indices of the complete image, after the postprocessing of the spec.

        Args:
            image: The image.
            probabilities: (K, H, W) float32 that is filled with the probabilities of the classes, before cleaning.
        """
        indices = np.empty(image.shape[:2], np.uint8)
        for block in self.compute_blocks(image):
            found = self.compute_indices(block)
            rows, columns = slice(block.y, block.y + found.shape[0]), slice(block.x, block.x + found.shape[1])
            indices[rows, columns] = found
            if probabilities is not None:
                probabilities[:, rows, columns] = self.compute_probabilities(block)
        return clean(indices, self.spec)

    def _compute_windows(self, images: Iterable[ReadableImage]) -> Generator["_Window", None, None]:
        """Yield the logits (K, h, w) of every window of every image, no larger than its image, or its error."""
        with closing(self._compute_batches(_group_items(self._read_windows(images), self.batch))) as answered:
            for batch, errors, logits in answered:
                for index, ((grid, _, _), error) in enumerate(zip(batch, errors, strict=True)):
                    yield grid, error or crop_padding(grid, logits[index], self.spec.window)

    def _read_windows(self, images: Iterable[ReadableImage]) -> Iterator[tuple[Grid, int, int]]:
        """Yield the windows of every image from top to bottom, until its blocks are no longer wanted."""
        for image in images:
            grid = make_grid(image, self.spec, self.runtime.window_statistics)
            for y, x in product(grid.ys, grid.xs):
                if grid.left.is_set():
                    break
                yield grid, y, x

    def _compute_batches(self, batches: Iterable[Batch]) -> Generator[tuple[Batch, Errors, "Array"], None, None]:
        """Yield every batch with the errors of its windows, and the logits (B, K, *window) of the others.

        `readers` threads prefetch, a batch each. Where the runtime takes several calls at once, as many threads
        compute.
        """
        count = self.runtime.parallel
        with closing(prefetch(self._read_batch, batches, self.readers, self.readers)) as reading:
            if count == 1:
                for batch, read in reading:
                    yield batch, *self._compute_batch(batch, read)
                return
            begin = self.runtime.share_cores
            with closing(prefetch(lambda job: self._compute_batch(*job), reading, count, count, begin)) as computing:
                for (batch, _), answer in computing:
                    yield batch, *answer.result()

    def _compute_batch(self, batch: Batch, read: "Future[tuple[np.ndarray, Errors]]") -> tuple[Errors, "Array"]:
        images, errors = read.result()
        if all(errors):
            return errors, None
        try:
            logits = self.runtime(images)
        except SegappError as error:  # of the machine or the network: other images would fail too
            raise FatalError(str(error), error.exit_code) from error
        expected = (len(images), self.spec.num_classes, *self.spec.window)
        wrong = tuple(logits.shape) != expected
        finite = math.isfinite(float(logits.sum()))  # NaN and infinity survive a sum
        for index, (grid, _, _) in enumerate(batch):
            if errors[index] is None and wrong:
                errors[index] = SegappError(
                    f"{grid.image.name}: the network returns {tuple(logits.shape)} instead of {expected}."
                )
            if errors[index] is None and not finite and not math.isfinite(float(logits[index].sum())):
                errors[index] = SegappError(
                    f"{grid.image.name}: the network returns values that are not finite; its training may have "
                    "diverged, or half precision is too small for it (try --precision 32-true)."
                )
        return errors, logits

    def _read_batch(self, batch: Batch) -> tuple[np.ndarray, Errors]:
        return read_batch(batch, self.spec, self.batch)

    def _blend(self, grid: Grid, logits: Iterator["Array"]) -> Iterator[Band]:
        if len(grid.ys) == len(grid.xs) == 1:
            yield Band(0, next(logits))
            return
        (height, width), window = grid.seen.shape[:2], self.spec.window
        ys, xs = grid.ys, grid.xs
        rows = self.runtime.array(compute_weights(self.spec.blend, height, window[0], ys))
        columns = self.runtime.array(compute_weights(self.spec.blend, width, window[1], xs))
        above: list[Array] = [None] * len(xs)  # what the row of windows above adds to this one, by column
        for j, (y, bottom) in enumerate(zip(ys, list_window_ends(ys, height), strict=True)):
            left = None  # what the window on the left adds to this one
            for i, (x, right) in enumerate(zip(xs, list_window_ends(xs, width), strict=True)):
                part = next(logits) * (rows[j][:, None] * columns[i])
                if left is not None:
                    part[:, :, : left.shape[2]] += left
                done, left = part[:, :, : right - x], part[:, :, right - x :]
                if above[i] is not None:
                    done[:, : above[i].shape[1]] += above[i]
                above[i] = self._copy(done[:, bottom - y :])
                yield Band(y, done[:, : bottom - y], x)

    def _copy(self, view: "Array") -> "Array":
        """Copy a view into separate memory, so that the memory of its window is released."""
        copy = self.runtime.zeros(tuple(view.shape))
        copy[...] = view
        return copy

    def _enlarge(self, grid: Grid, windows: Iterator["Array"]) -> Iterator[Band]:
        """Yield the logits of the resized image at the stored size, in bands of a window's height."""
        if grid.error is not None:
            raise grid.error
        logits = self.runtime.zeros((self.spec.num_classes, *grid.seen.shape[:2]))
        for block in self._blend(grid, windows):
            rows, columns = block.logits.shape[1:]
            logits[:, block.y : block.y + rows, block.x : block.x + columns] = block.logits
        stored = grid.image.shape[0], grid.image.shape[1]
        for y, band in enlarge(self.runtime, logits, stored, self.spec.window[0]):
            yield Band(y, band)


_Window = tuple[Grid, "Array | SegappError"]


def _compute_result(window: "_Window") -> "Array":
    _, logits = window
    if isinstance(logits, SegappError):
        raise logits
    return logits


def _group_items(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
