"""What a file says of one image, and the mask that is painted from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from segapp.batch import IGNORE_INDEX
from segapp.datasets.annotations.shapes import Bitmap, Polygons, Runs, Shape, Window
from segapp.errors import MisuseError
from segapp.io import FilePart, as_file_part, read_header, read_shape

REMEMBERED_PIXELS = 2**26
"""Pixels (8192 x 8192) up to which a mask is painted as a whole, and the last two are remembered."""

MAX_PAINTED = 2**35
"""Pixels that the shapes of one mask may cover together: some hundred times the largest image."""

MAX_OUTLINE = 2**22
"""Pixels along the outlines of one shape: drawing them takes memory for each."""

OUTLINE_COST = 100
"""Covered pixels that take as long as one pixel of an outline."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The annotation of one image."""

    name: str
    """The image's name in the file, maybe with folders; empty where the file names none."""
    shapes: tuple[Shape, ...]
    """In the order in which they are painted: later over earlier."""
    size: tuple[int, int] | None = None
    """Height, width as the file states them."""
    relative: bool = False
    """Whether coordinates are fractions of the image's size."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """What is no area and not painted, as points → how many."""
    crs: str | None = None
    """The coordinate system of map coordinates, as EPSG:4326; None for pixels."""


class AnnotatedMask:
    """The mask of one image, painted from its annotation when it is read."""

    def __init__(
        self, image: Path | FilePart, path: Path, entry: Entry, indices: Mapping[str, int | None], background: int
    ) -> None:
        self.file, self.path, self.entry = image, path, entry
        self.indices, self.background = indices, background

    def __repr__(self) -> str:
        return f"{self.path} ({self.image.name})"

    @property
    def image(self) -> Path:
        """The image's file."""
        return as_file_part(self.file).path

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Height, width of the image; MisuseError where the file states another size."""
        finest, stated = replace(as_file_part(self.file), resolution=None), self.entry.size
        found = read_shape(finest)
        if stated is not None and stated != found:
            turned = read_header(self.image).orientation >= 5 and stated == found[::-1]
            cause = (
                "the shapes were drawn on the pixels as they are stored, and the image's EXIF tag turns them; remove "
                "the tag (`exiftool -Orientation= FILE`)"
                if turned
                else "annotate this image, or put the image that was annotated in its place"
            )
            raise MisuseError(
                f"{self.path}: says that {self.image.name} has {stated[0]} x {stated[1]} pixels (height x width), but "
                f"it has {found[0]} x {found[1]}; {cause}."
            )
        return read_shape(self.file)

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """The shapes in pixels of the image as it is read; MisuseError for some that cannot be scaled to them."""
        if self.entry.relative:
            height, width = self.shape
            return tuple(shape.scale(height, width) for shape in self.entry.shapes)
        down, across = read_header(self.file).meta.get("downsample", (1.0, 1.0))
        if down == across == 1:
            return self.entry.shapes
        other = next((shape for shape in self.entry.shapes if not isinstance(shape, Polygons)), None)
        if other is not None:
            raise MisuseError(
                f"{self.path}: the class {other.label!r} is a mask or an outline in whole pixels, and only polygons "
                "are scaled to a `resolution`; export polygons, or leave `resolution` out."
            )
        return tuple(shape.scale(1 / down, 1 / across) for shape in self.entry.shapes)

    def read(self) -> np.ndarray:
        """Return (H, W) uint8; MisuseError for shapes that cannot be painted."""
        return self.read_window(0, 0, *self.shape)

    def read_window(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        """Return (h, w) uint8, inside the image only."""
        height, width = self.shape
        if height * width <= REMEMBERED_PIXELS:
            return _paint_image(self)[y : y + h, x : x + w].copy()
        return self.paint(Window(y, x, h, w))

    def count_overlaps(self) -> int:
        """Count the pixels that lie in shapes of several classes, those to ignore left out."""
        return int(self.find_overlaps().sum())

    def find_overlaps(self) -> np.ndarray:
        """Return (H, W) bool: the pixels that lie in shapes of several classes, those to ignore left out."""
        labels = {shape.label for shape in self.entry.shapes if not shape.ignored}
        indices = {self._find_index(label) for label in labels} - {None, IGNORE_INDEX}
        covered = np.zeros(self.shape, np.uint8)
        if len(indices) < 2:
            return covered > 1
        for index in indices:
            own = tuple(s for s in self.entry.shapes if not s.ignored and self._find_index(s.label) == index)
            alone = AnnotatedMask(self.file, self.path, replace(self.entry, shapes=own), self.indices, IGNORE_INDEX)
            covered += alone.paint(Window(0, 0, *self.shape)) == index
        return covered > 1

    def paint(self, window: Window) -> np.ndarray:
        """Return (h, w) uint8: shapes in their order, each over the ones before; the background elsewhere."""
        mask = np.full((window.h, window.w), self.background, np.uint8)
        effort = 0.0
        for shape in self.shapes:
            index = IGNORE_INDEX if shape.ignored else self._find_index(shape.label)
            if index is None:
                continue
            try:
                effort += self._paint_shape(mask, shape, window, index)
            except MisuseError as error:
                raise MisuseError(f"{self.path}: image {self.image.name}, class {shape.label!r}: {error}.") from error
            if effort > MAX_PAINTED:
                raise MisuseError(
                    f"{self.path}: the shapes of {self.image.name} lie over each other so often that painting them "
                    "takes minutes; save the masks as PNG files."
                )
        return mask

    def _paint_shape(self, mask: np.ndarray, shape: Shape, window: Window, index: int) -> float:
        """Paint what a window shows of a shape, and return the effort in covered pixels."""
        if isinstance(shape, Runs | Bitmap):
            self._check_box(shape.box)
        seen = shape.bounds.intersect(window)
        if not seen.h or not seen.w:
            return 0.0
        if (outline := shape.outline) > MAX_OUTLINE:
            raise MisuseError(
                f"an outline of {outline:,.0f} pixels, and {MAX_OUTLINE:,} at most are drawn; simplify it, or save "
                "the masks as PNG files"
            )
        part = mask[seen.y - window.y :, seen.x - window.x :][: seen.h, : seen.w]
        part[shape.cover(seen)] = index
        return seen.h * seen.w + OUTLINE_COST * outline

    def _find_index(self, label: str) -> int | None:
        if label not in self.indices:
            raise MisuseError(
                f"{self.path}: holds the class {label!r}, which is not among `classes`; rename it with mask.labels."
            )
        return self.indices[label]

    def _check_box(self, box: Window) -> None:
        """Raise MisuseError for a mask that reaches out of the image."""
        height, width = self.shape
        if box.intersect(Window(0, 0, height, width)) != box:
            raise MisuseError(
                f"a mask of {box.h} x {box.w} pixels (height x width) at y={box.y}, x={box.x} is not inside the image "
                f"of {height} x {width}; was the image resized?"
            )


@lru_cache(maxsize=2)
def _paint_image(mask: AnnotatedMask) -> np.ndarray:
    return mask.paint(Window(0, 0, *mask.shape))
