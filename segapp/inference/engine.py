"""From an image of any size to logits and class indices, in memory that does not grow with its height."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, product
from typing import TYPE_CHECKING, Protocol

import numpy as np

from segapp.errors import SegappError
from segapp.inference.ahead import ahead
from segapp.inference.blend import shares
from segapp.inference.cleaning import clean
from segapp.inference.resize import enlarge, shrink
from segapp.inference.windows import ends, padded, starts
from segapp.spec import Spec

if TYPE_CHECKING:  # the engine needs no torch: what it computes with is the runtime's business
    from segapp.inference.runtime import Array, Runtime


class Picture(Protocol):
    """What the engine reads from: `segapp.io.Image` under a name, or pixels in memory."""

    @property
    def name(self) -> str:
        """What errors call it."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width, channels."""

    def window(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        """(h, w, C) uint8, or float32 in [0, 1]; inside the image only."""


@dataclass(frozen=True)
class ArrayImage:
    """An image in memory: `pixels` is (H, W, C) uint8, or float32 in [0, 1]."""

    pixels: np.ndarray
    name: str = "the image"

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width, channels."""
        return self.pixels.shape

    def window(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        """(h, w, C), a view."""
        return self.pixels[y : y + h, x : x + w]


@dataclass(frozen=True)
class Band:
    """Finished logits (K, h, w) float32, where the runtime keeps them: rows from `y`, columns from `x`."""

    y: int
    logits: "Array"
    x: int = 0


class Engine:
    """One path from images to logits, for validation, test and prediction, whatever the runtime.

    Every call of the runtime has the shape (batch, C, *spec.window), so results depend on the image alone.
    """

    def __init__(self, runtime: "Runtime", spec: Spec, batch: int = 1) -> None:
        self.runtime = runtime
        self.spec = spec
        self.batch = batch

    def bands(self, image: Picture) -> Iterator[Band]:
        """Logits (K, h, W) from top to bottom, at the image's stored size.

        Raises SegappError that names the image: other channels than the network's, logits that are not finite.
        """
        width = image.shape[1]
        for y, row in groupby(self.blocks(image), key=lambda block: block.y):
            first = next(row)
            if first.logits.shape[2] == width:
                yield first
                continue
            logits = self.runtime.zeros((*first.logits.shape[:2], width))
            for block in (first, *row):
                logits[:, :, block.x : block.x + block.logits.shape[2]] = block.logits
            yield Band(y, logits)

    def blocks(self, image: Picture) -> Iterator[Band]:
        """As `bands`, but each row of windows from left to right, window by window: less is held at a time.

        That is, K times the rows which two rows of windows share, and a few windows; never a band.
        """
        if image.shape[2] != self.spec.channels:
            raise SegappError(f"{image.name}: has {image.shape[2]} channels, the network takes {self.spec.channels}.")
        return self._windowed(image) if self.spec.resize is None else self._resized(image, self.spec.resize)

    def indices(self, band: Band) -> np.ndarray:
        """(h, w) uint8 class indices of a band."""
        return self.runtime.indices(band.logits)

    def segment(self, image: Picture) -> np.ndarray:
        """(H, W) uint8 class indices of the whole image, cleaned as the spec says."""
        indices = np.empty(image.shape[:2], np.uint8)
        for block in self.blocks(image):
            found = self.indices(block)
            indices[block.y : block.y + found.shape[0], block.x : block.x + found.shape[1]] = found
        return clean(indices, self.spec)

    def _windowed(self, image: Picture) -> Iterator[Band]:
        (height, width), window = image.shape[:2], self.spec.window
        ys, xs = (starts(length, side, self.spec.overlap) for length, side in zip((height, width), window, strict=True))
        logits = self._logits(image, list(product(ys, xs)))
        if len(ys) == len(xs) == 1:
            yield Band(0, next(logits))
            return
        rows = self.runtime.array(shares(self.spec.blend, height, window[0], ys))
        columns = self.runtime.array(shares(self.spec.blend, width, window[1], xs))
        above: list[Array] = [None] * len(xs)  # what the row of windows above adds to this one, by column
        for j, (y, bottom) in enumerate(zip(ys, ends(ys, height), strict=True)):
            left = None  # what the window on the left adds to this one
            for i, (x, right) in enumerate(zip(xs, ends(xs, width), strict=True)):
                part = next(logits) * (rows[j][:, None] * columns[i])
                if left is not None:
                    part[:, :, : left.shape[2]] += left
                done, left = part[:, :, : right - x], part[:, :, right - x :]
                if above[i] is not None:
                    done[:, : above[i].shape[1]] += above[i]
                above[i] = self._copy(done[:, bottom - y :])
                yield Band(y, done[:, : bottom - y], x)

    def _copy(self, view: "Array") -> "Array":
        """Its own memory, so that the window it was cut from can go."""
        copy = self.runtime.zeros(tuple(view.shape))
        copy[...] = view
        return copy

    def _logits(self, image: Picture, corners: list[tuple[int, int]]) -> Iterator["Array"]:
        """(K, h, w) of each window, as far as it lies inside the image."""
        h, w = (min(side, length) for side, length in zip(self.spec.window, image.shape, strict=False))
        batches = [corners[first : first + self.batch] for first in range(0, len(corners), self.batch)]
        for batch, images in self._read(image, batches, (h, w)):
            logits = self.runtime(images)
            expected = (len(images), self.spec.num_classes, *self.spec.window)
            if tuple(logits.shape) != expected:
                raise SegappError(f"{image.name}: the network gives {tuple(logits.shape)}, not {expected}.")
            if not math.isfinite(float(logits.sum())):  # NaN and infinity survive a sum
                raise SegappError(
                    f"{image.name}: the network gives values that are not finite; its training may have "
                    "diverged, or half precision is too small for it (try --precision 32-true)."
                )
            yield from (logits[index, :, :h, :w] for index in range(len(batch)))

    def _read(
        self, image: Picture, batches: list[list[tuple[int, int]]], size: tuple[int, int]
    ) -> Iterator[tuple[list[tuple[int, int]], np.ndarray]]:
        """Batches (B, C, *window), the next one read while this one is computed; the last padded with zeros."""

        def read(batch: list[tuple[int, int]]) -> np.ndarray:
            crops = [padded(image.window(*corner, *size), self.spec.window) for corner in batch]
            images = np.zeros((self.batch, *crops[0].shape), crops[0].dtype)
            for index, crop in enumerate(crops):
                images[index] = crop
            return images.transpose(0, 3, 1, 2)  # a view: channels stay last in memory

        if len(batches) == 1:
            yield batches[0], read(batches[0])
            return
        for batch, images in ahead(read, batches):
            yield batch, images.result()

    def _resized(self, image: Picture, size: tuple[int, int]) -> Iterator[Band]:
        """The image read whole and resized, its logits resized back in bands of a window's height."""
        small = ArrayImage(shrink(image, size), image.name)
        logits = self.runtime.zeros((self.spec.num_classes, *size))
        for block in self._windowed(small):
            rows, columns = block.logits.shape[1:]
            logits[:, block.y : block.y + rows, block.x : block.x + columns] = block.logits
        stored = image.shape[0], image.shape[1]
        for y, band in enlarge(self.runtime, logits, stored, self.spec.window[0]):
            yield Band(y, band)
