"""A mask made of one or several files, read through an encoding."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from segapp.datasets.masks.encoding import Labels, MaskFile, PixelEncoding
from segapp.errors import MisuseError
from segapp.io import has_windows, read_header, read_mask_window, read_shape

STRIPE_PIXELS = 2**24
"""Pixels that are decoded at once, where each has its class by itself: comparing colours takes 26 bytes of each."""

FULL_CHECK_PIXELS = 2**22
"""Pixels (2048 x 2048) up to which a complete mask is checked when first read, also in formats with windows."""


class EncodedMask:
    """A mask made of one or several files of one size."""

    def __init__(self, files: Sequence[MaskFile], encoding: PixelEncoding, labels: Labels) -> None:
        self.files, self.encoding, self.labels = tuple(files), encoding, labels
        self._was_checked = False

    def __repr__(self) -> str:
        more = f" and {len(self.files) - 1} more" if len(self.files) > 1 else ""
        return f"{self.files[0].file}{more}"

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Height, width, from the first file's header."""
        return read_shape(self.files[0].file)

    @property
    def orientation(self) -> int:
        """EXIF's 1 … 8 of the first file."""
        return read_header(self.files[0].file).orientation

    def read(self) -> np.ndarray:
        """Return (H, W) uint8."""
        height, width = self.shape
        indices = self._decode_in_stripes(0, 0, height, width)
        self.encoding.check_meaning(self.files, indices, self.labels)
        self._was_checked = True
        return indices

    def read_window(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        """Read (h, w) uint8, inside the mask only."""
        if not self.encoding.local:
            return self.read()[y : y + h, x : x + w]
        if not self._was_checked and self._is_checked_in_full():
            self.read()  # a wrong value is found at the first read, wherever that crop lies
        indices = self._decode_in_stripes(y, x, h, w)
        if not self._was_checked and self.encoding.is_doubtful(indices, self.labels):
            self.read()
        return indices

    def count_overlaps(self) -> int:
        """Count the pixels that are of several classes, where each class has a file."""
        if not self.encoding.layered:
            return 0
        height, width = self.shape
        pixels = [read_mask_window(file.file, 0, 0, height, width) for file in self.files]
        return self.encoding.count_overlaps(self.files, pixels)

    def _is_checked_in_full(self) -> bool:
        """Return whether reading a window decodes the complete mask anyway, or the complete mask is small."""
        height, width = self.shape
        return height * width <= FULL_CHECK_PIXELS or not has_windows(self.files[0].file)

    def _decode_in_stripes(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        rows = max(1, STRIPE_PIXELS // w)
        if not self.encoding.local or h <= rows:
            return self._decode(y, x, h, w)
        indices = np.empty((h, w), np.uint8)
        for top in range(0, h, rows):
            count = min(rows, h - top)
            indices[top : top + count] = self._decode(y + top, x, count, w)
        return indices

    def _decode(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        for file in self.files[1:]:
            if read_shape(file.file) != self.shape:
                raise MisuseError(
                    f"{file.file}: {_format_size(read_shape(file.file))} pixels, but {self.files[0].file} of the "
                    f"same image has {_format_size(self.shape)}; the masks of one image must have its size."
                )
        pixels = [read_mask_window(file.file, y, x, h, w) for file in self.files]
        for file, window in zip(self.files, pixels, strict=True):
            if window.lossy is not None and not self.encoding.tolerant:
                raise _explain_lossy(file.path, window.lossy)
        return self.encoding.decode(self.files, pixels, self.labels)


def _format_size(shape: tuple[int, int]) -> str:
    return f"{shape[0]} x {shape[1]}"


def _explain_lossy(path: Path, codec: str) -> MisuseError:
    return MisuseError(
        f"{path}: {codec} is lossy, so the class numbers in it are not exact. Save masks as PNG from the "
        "original annotation. If there is none, set mask to segapp.datasets.Threshold for one kind of object "
        "(Instances and PerClass have a `threshold`), or to Colours with `nearest: true` for colours."
    )
