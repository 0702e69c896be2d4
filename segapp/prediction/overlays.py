"""What people look at, and what programs go on with: overlays and class probabilities."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from segapp.errors import SegappError
from segapp.inference.engine import Picture
from segapp.io import write_atomically
from segapp.spec import Spec

MAX_SIDE = 4096
"""Overlays are for the eye: larger images are drawn at every second, third, … pixel."""

STRIPE = 2**24
"""Pixels that are read at a time of a picture that is drawn thinned."""

TINT = 0.35
"""Share of the class's colour inside a region; its contour has all of it."""


def overlay(image: Picture, indices: np.ndarray, spec: Spec, step: int = 1) -> np.ndarray:
    """Draw (H, W, 3) uint8: the image tinted by class, each region outlined in its class's colour.

    `indices` are those of every `step`-th pixel of every `step`-th row; a picture beyond MAX_SIDE is thinned further.
    The background class, where the spec has one, is left as it is.
    """
    further = -(-max(indices.shape) // MAX_SIDE)
    pixels = _to_rgb(_subsample(image, step * further))
    indices = np.ascontiguousarray(indices[::further, ::further])
    strength = np.where(_find_outlines(indices, max(1, round(min(indices.shape) / 400))), 1.0, TINT).astype(np.float32)
    if spec.background is not None:
        strength[indices == spec.background] = 0
    colours = np.array(spec.palette, np.float32)[indices]
    return np.rint(pixels + (colours - pixels) * strength[..., None]).astype(np.uint8)


class ProbabilityFile:
    """A `.npy` of (K, H, W) float16 or uint8, filled block by block without holding it in memory."""

    def __init__(self, file: BinaryIO, shape: tuple[int, int, int], dtype: str) -> None:
        self._dtype = np.dtype({"float16": "<f2", "uint8": "|u1"}[dtype])
        header = {"descr": self._dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        self._file = file
        self._shape = shape
        self._start = file.tell()

    def add(self, y: int, x: int, probabilities: np.ndarray) -> None:
        """Add (K, h, w) float32 in [0, 1], unchanged, or times 255 and rounded."""
        _, height, width = self._shape
        if self._dtype.kind == "u":
            probabilities = np.rint(probabilities * 255)
        block = np.ascontiguousarray(probabilities, self._dtype)
        rows = block.shape[1] if block.shape[2] == width else 1  # whole rows lie side by side in the file
        for index, plane in enumerate(block):
            for top in range(0, len(plane), rows):
                place = ((index * height + y + top) * width + x) * self._dtype.itemsize
                self._file.seek(self._start + place)
                self._file.write(plane[top : top + rows].tobytes())


@contextmanager
def open_probability_file(path: Path, shape: tuple[int, int, int], dtype: str = "float16") -> Iterator[ProbabilityFile]:
    """Open a `ProbabilityFile` that appears at `path` once it is complete; raise SegappError when writing fails."""
    try:
        with write_atomically(path) as temporary, temporary.open("wb") as file:
            yield ProbabilityFile(file, shape, dtype)
    except OSError as error:
        raise SegappError(f"{path}: cannot be written ({error}).") from error


def _subsample(image: Picture, step: int) -> np.ndarray:
    """Return every `step`-th pixel of every `step`-th row; a large image is read in stripes."""
    height, width = image.shape[:2]
    if step == 1:
        return image.window(0, 0, height, width)
    rows = step * max(1, STRIPE // (width * step))
    stripes = (image.window(y, 0, min(rows, height - y), width) for y in range(0, height, rows))
    return np.concatenate([stripe[::step, ::step] for stripe in stripes])


def _to_rgb(pixels: np.ndarray) -> np.ndarray:
    """Convert pixels to (h, w, 3) float32 in [0, 255].

    Grey is repeated, and of more channels the first three are taken.
    """
    shown = pixels[..., :3] if pixels.shape[2] >= 3 else np.repeat(pixels[..., :1], 3, axis=2)
    return shown.astype(np.float32) * (1 if pixels.dtype == np.uint8 else 255)


def _find_outlines(indices: np.ndarray, width: int) -> np.ndarray:
    """Find (h, w) bool: pixels that have another class within `width` rows or columns."""
    outline = np.zeros(indices.shape, bool)
    for distance in range(1, width + 1):
        differs = indices[distance:] != indices[:-distance]
        outline[distance:] |= differs
        outline[:-distance] |= differs
        differs = indices[:, distance:] != indices[:, :-distance]
        outline[:, distance:] |= differs
        outline[:, :-distance] |= differs
    return outline
