"""The masks of the slices of a series, painted from contours in the coordinates of the patient."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from segapp.datasets.annotations.contours import Contours, Placement, place_contours
from segapp.datasets.annotations.entry import AnnotatedMask, Entry
from segapp.datasets.annotations.shapes import Window
from segapp.errors import MisuseError
from segapp.io import FilePart, read_shape
from segapp.io.formats.volume_cache import VolumeCache
from segapp.io.structures import SeriesSpace, read_series_space

PAINTED = VolumeCache(2**28)
"""Painted slices in each process: a thousand of 512 x 512 pixels."""


class SeriesPainter:
    """Paints the stored slices of a series.

    Attributes:
        image: Any slice of the series.
        path: The structure set.
        entry: Its regions.
        indices: Their classes, None for those that are left out.
        background: The class of other pixels.
    """

    def __init__(
        self, image: FilePart, path: Path, entry: Entry, indices: Mapping[str, int | None], background: int
    ) -> None:
        self.image, self.path, self.entry = image, path, entry
        self.indices, self.background = indices, background

    @cached_property
    def space(self) -> SeriesSpace:
        """Where the series lies; SegappError where it does not say so."""
        return read_series_space(self.image)

    @cached_property
    def placement(self) -> Placement:
        """What each slice holds; MisuseError for contours of another series."""
        shapes = [each for each in self.entry.shapes if isinstance(each, Contours)]
        used = [each for each in shapes if self.indices.get(each.label, 0) is not None]
        placed = place_contours(self.path, self.image.path, used, self.space)
        if used and not placed.slices:
            raise MisuseError(
                f"{self.path}: none of its {len(used)} regions lies on a slice of the series {self.image.path}; set "
                "`masks` to the structure set of this series."
            )
        return placed

    def paint(self, place: int | None) -> np.ndarray:
        """Return (slices, rows, columns) uint8 of a stored slice, or of all for None; not to be written to."""
        window = Window(0, 0, *self.space.plane)
        return self._keep("classes", place, lambda mask: mask.paint(window))

    def find_overlaps(self, place: int | None) -> np.ndarray:
        """Return (slices, rows, columns) bool: the pixels in regions of several classes."""
        return self._keep("overlaps", place, lambda mask: mask.find_overlaps())

    def _keep(self, what: str, place: int | None, draw: Callable[["_StoredSlice"], np.ndarray]) -> np.ndarray:
        places = range(self.space.count) if place is None else [place]

        def join() -> np.ndarray:
            return np.stack([draw(self._open(each)) for each in places])

        return PAINTED.get((self, what, place), join)

    def _open(self, place: int) -> "_StoredSlice":
        shapes = tuple(self.placement.slices.get(place, ()))
        entry = replace(self.entry, shapes=shapes)
        return _StoredSlice(self.image, self.path, entry, self.indices, self.background, self.space.plane)


class _StoredSlice(AnnotatedMask):
    """A slice as the series stores it, which may be turned or mirrored against the image that is shown."""

    def __init__(
        self,
        image: FilePart,
        path: Path,
        entry: Entry,
        indices: Mapping[str, int | None],
        background: int,
        size: tuple[int, int],
    ) -> None:
        super().__init__(image, path, entry, indices, background)
        self._size = size

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._size


class ContourMask:
    """The mask of one image of a series."""

    def __init__(self, image: FilePart, painter: SeriesPainter) -> None:
        self.image, self.painter = image, painter

    def __repr__(self) -> str:
        return f"{self.path} ({self.image})"

    @property
    def path(self) -> Path:
        """The structure set."""
        return self.painter.path

    @property
    def shape(self) -> tuple[int, int]:
        """Height, width of the image."""
        return read_shape(self.image)

    def read(self) -> np.ndarray:
        """Return (H, W) uint8; MisuseError for contours that cannot be painted on the image."""
        return self.read_window(0, 0, *self.shape)

    def read_window(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        """Return (h, w) uint8, inside the image only."""
        mask = self.painter.space.cut_image(self.image.part, self.painter.paint)
        return mask[y : y + h, x : x + w].copy()

    def count_overlaps(self) -> int:
        """Count the pixels in regions of several classes, those to ignore left out."""
        return int(self.painter.space.cut_image(self.image.part, self.painter.find_overlaps).sum())
