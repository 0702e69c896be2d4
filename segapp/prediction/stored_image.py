"""The image files that the engine reads."""

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

from segapp.errors import SegappError
from segapp.io import FilePart, Image, open_image
from segapp.prediction.intensity import convert_pixels, require_trained_kind
from segapp.spec import Spec

PREFETCHED_PIXELS = 2**24
"""Pixels (4096 x 4096) up to which images are prefetched; larger ones are read when it is their turn."""

OTHER_DEPTH = (
    "say what becomes 0 and 1 with --intensity percentile,1,99 (of each image) or --intensity range,{low},{high} (the "
    "same values for all)"
)


class StoredImage:
    """An image file whose pixels are in memory, or are read window by window.

    Args:
        image: The file.
        name: Its path, for error messages.
        whole: True to read all pixels with the first window, False to read each window from the file.
        dtype: Of the pixels that the network takes.
    """

    def __init__(self, image: Image, name: str, whole: bool, dtype: np.dtype) -> None:
        self.image, self.name, self.whole, self.dtype = image, name, whole, dtype
        self._pixels: np.ndarray | None = None
        self._problem: SegappError | None = None
        self._reading = threading.Lock()  # several threads may ask for windows

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        return self.image.shape

    @property
    def meta(self) -> dict[str, Any]:
        """Georeference and resolution of the file."""
        return self.image.meta

    def read(self) -> None:
        """Read the pixels into memory, once; an error is raised again by every later call."""
        with self._reading:
            if self._problem is not None:
                raise self._problem
            if self._pixels is None:
                try:
                    self._pixels = convert_pixels(self.image.read(), self.dtype)
                except SegappError as problem:
                    self._problem = problem
                    raise

    def read_window(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        """Return the pixels (h, w, C) of a window whose upper left corner is row `y`, column `x`."""
        if not self.whole:
            return convert_pixels(self.image.read_window(y, x, h, w), self.dtype)
        self.read()
        assert self._pixels is not None
        return self._pixels[y : y + h, x : x + w]


@dataclass(frozen=True)
class UnreadableImage:
    """An image that cannot be opened; its error is raised when the engine asks for its shape or its pixels."""

    name: str
    error: SegappError

    @property
    def shape(self) -> tuple[int, ...]:
        """Raises `error`."""
        raise self.error

    def read_window(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        """Raise `error`."""
        raise self.error


def open_stored(file: FilePart, spec: Spec, dtype: np.dtype) -> StoredImage:
    """Return an image as the network is to see it: a small one in memory.

    A large one is read later, in windows where its format has them.

    Raises SegappError for an image that cannot be read, or is of another kind than the network was trained on.
    """
    image = open_image(file, spec.channels, spec.intensity, spec.neighbours, spec.resolution)
    require_trained_kind(image, spec.channels, OTHER_DEPTH)
    height, width, _ = image.shape
    large = height * width > PREFETCHED_PIXELS
    windowed = large and image.has_windows
    stored = StoredImage(image, str(file), not windowed, dtype)
    if not large:
        stored.read()
    return stored
